"""Deploy while the application's log is followed; what it wrote meanwhile is kept with the run."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.run_command import run_command
from tasks.access import Access
from tasks.cancel import kill_jobs
from tasks.ends import End
from tasks.log_watch import log_watch
from tasks.until import FOR_AN_HOUR, Until


@flow(name="watched-deploy", flow_run_name="watched deploy on {hosts}", on_cancellation=[kill_jobs])
def watched_deploy(
    access: Access,
    hosts: Annotated[str, Field(min_length=1)],
    deploy: str = "/opt/deploy/update.sh",
    log: str = "/var/log/myapp/app.log",
    until: Until = FOR_AN_HOUR,
) -> list[End]:
    """Run a deploy command on every host by another flow, and keep what the log of each host said meanwhile.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        hosts: Hosts, as a pattern.
        deploy: Shell command that deploys.
        log: File to follow.
        until: How often to look after the deployment.
    """
    with log_watch(log, hosts, access):
        return run_command(access, hosts, deploy, label="deploy", until=until)
