"""Deploy while the application's log is followed; what it wrote meanwhile is kept with the run."""

from __future__ import annotations

from remotejobs.prefect import FOR_AN_HOUR, Access, HostPattern, JobResult, Until, log_watch, remote_flow
from remotejobs.prefect.flows.run_command import run_command


@remote_flow("watched-deploy", run_name="watched deploy on {hosts}")
def watched_deploy(
    access: Access,
    hosts: HostPattern,
    deploy: str = "/opt/deploy/update.sh",
    log: str = "/var/log/myapp/app.log",
    until: Until = FOR_AN_HOUR,
) -> list[JobResult]:
    """Run a deploy command on every host by another flow, and keep what the log of each host said meanwhile.

    Args:
        deploy: Shell command that deploys.
        log: File to follow.
        until: How often to poll the deployment.
    """
    with log_watch(log, hosts, access):
        return run_command(access, hosts, deploy, label="deploy", until=until)
