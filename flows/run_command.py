"""Run one shell command on many hosts, as long as it takes: the smallest flow that uses everything."""

from __future__ import annotations

from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import Command, HostPattern, Label, remote_flow, run_jobs, select_hosts
from remotejobs.prefect.tasks.jobs.options import JobOptions
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.jobs.until import FOR_AN_HOUR, Until
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.runs.options import RunOptions


@remote_flow("run-command", run_name="`{command}` on {hosts}")
def run_command(
    access: Access,
    hosts: HostPattern,
    command: Command,
    label: Label = "command",
    job: JobOptions = JobOptions(),
    until: Until = FOR_AN_HOUR,
    run: RunOptions = RunOptions(),
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[JobResult]:
    """Run a shell command on every host of a pattern; fail at the end, naming the hosts where it failed."""
    jobs = [(job.job(command, label=label), host) for host in select_hosts(access, hosts)]
    return run_jobs(jobs, access, until, run, title=f"`{command}` on {hosts}")
