"""Restart several services side by side: a job for each unit on each host, awaited together, verified active."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.operations.units import restart_job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, run_jobs, select_hosts
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.runs.options import RunOptions


@remote_flow("restart-services", run_name="restart services on {hosts}", renamed={"limit": "timeout"})
def restart_services(
    access: Access,
    hosts: HostPattern,
    units: Annotated[list[str], Field(min_length=1)],
    timeout: Annotated[int, Field(ge=1)] = 120,
    stay_active: Annotated[int, Field(ge=0)] = 3,
    poll: Annotated[float, Field(ge=1)] = 5,
    run: RunOptions = RunOptions(),
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[JobResult]:
    """Restart every unit on every host, all at once; fail at the end, naming those that did not stay active.

    Args:
        access: Where the hosts are written down, and which user to become there: restarting needs root.
        units: Units of systemd: nginx, php-fpm, redis-server, backup@db1.service.
        timeout: Seconds for one restart.
        stay_active: Seconds for which a unit must be active after its restart.
        poll: Seconds between two polls of a running job.
    """
    jobs = [restart_job(unit, jid_for("restart", unit), timeout=timeout, stay_active=stay_active) for unit in units]
    steps = [(job, host) for host in select_hosts(access, hosts) for job in jobs]
    return run_jobs(steps, access, Until.outlasting(timeout + 60, delay=poll), run, title=f"Restarts on {hosts}")
