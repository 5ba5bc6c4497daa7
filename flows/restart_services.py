"""Restart several services side by side: a job for each unit on each host, awaited together, verified active."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from remotejobs.units import restart_job
from tasks.access import Access
from tasks.cancel import kill_jobs
from tasks.connections import host_names
from tasks.ends import End, end_of, raise_for
from tasks.fence import end_when_unwanted
from tasks.jids import jid_for
from tasks.jobs import poll_until, start_job
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.reports import publish_table, row_of
from tasks.until import Until


@flow(
    name="restart-services",
    flow_run_name="restart services on {hosts}",
    on_running=[end_when_unwanted],
    on_failure=[tell_webhook, tell_block],
    on_crashed=[tell_webhook, tell_block],
    on_cancellation=[kill_jobs],
)
def restart_services(
    access: Access,
    hosts: Annotated[str, Field(min_length=1)],
    units: Annotated[list[str], Field(min_length=1)],
    limit: Annotated[int, Field(ge=1)] = 120,
    stay_active: Annotated[int, Field(ge=0)] = 3,
    poll: Annotated[float, Field(ge=1)] = 5,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[End]:
    """Restart every unit on every host, all at once; fail at the end, naming those that did not stay active.

    Args:
        access: Where the hosts are written down, and as whom to work there: restarting needs root.
        hosts: Hosts to restart them on, as a pattern: all, web*.
        units: Units of systemd: nginx, php-fpm, redis-server, backup@db1.service.
        limit: Seconds for one restart.
        stay_active: Seconds for which a unit must be active after its restart.
        poll: Seconds between two looks at a running job.
        notify: Whom to tell when the run failed.
    """
    look = poll_until(Until.outlasting(limit + 60, delay=poll))
    jobs = [restart_job(unit, jid_for("restart", unit), limit=limit, stay_active=stay_active) for unit in units]
    steps = [(job, host) for host in host_names(access, hosts) for job in jobs]
    started = [start_job.submit(job, host, access) for job, host in steps]
    polled = [look.submit(start, access) for start in started]
    ends = [end_of(job.label, host, start, end) for (job, host), start, end in zip(steps, started, polled, strict=True)]
    publish_table("restart-services", f"Restarts on {hosts}", [row_of(end) for end in ends])
    raise_for(ends)
    return ends
