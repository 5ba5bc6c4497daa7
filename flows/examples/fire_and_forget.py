"""Start jobs and do not wait for them. How they ended is reported later, by `report-jobs` or `remotejobs list`."""

from __future__ import annotations

from remotejobs.prefect import Access, HostPattern, JobOptions, JobResult, Until, remote_flow, run_jobs, select_hosts

HOUSEKEEPING = {"log rotation": "logrotate -f /etc/logrotate.conf", "cache warm-up": "/opt/myapp/bin/warm-cache"}
NOT_AT_ALL = Until(delay=0)


@remote_flow("fire-and-forget", run_name="housekeeping on {hosts}")
def fire_and_forget(
    access: Access,
    hosts: HostPattern,
    commands: dict[str, str] = HOUSEKEEPING,
    job: JobOptions = JobOptions(timeout=600),
) -> list[JobResult]:
    """Start every command on every host and return; fail only where one could not be started.

    Args:
        commands: Shell commands by label.
    """
    jobs = [job.job(command, label=label) for label, command in commands.items()]
    steps = [(each, host) for host in select_hosts(access, hosts) for each in jobs]
    return run_jobs(steps, access, NOT_AT_ALL, title=f"Housekeeping on {hosts}")
