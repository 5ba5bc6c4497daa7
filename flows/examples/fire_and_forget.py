"""Start jobs and do not wait for them. How they ended is told later, by `report-jobs` or `remotejobs list`."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from remotejobs.model import Job
from tasks.access import Access
from tasks.connections import host_names
from tasks.ends import End, left_running, outcome_of, raise_for
from tasks.jids import jid_for
from tasks.jobs import start_job

HOUSEKEEPING = {"log rotation": "logrotate -f /etc/logrotate.conf", "cache warm-up": "/opt/myapp/bin/warm-cache"}


@flow(name="fire-and-forget", flow_run_name="housekeeping on {hosts}")
def fire_and_forget(
    access: Access,
    hosts: Annotated[str, Field(min_length=1)],
    commands: dict[str, str] = HOUSEKEEPING,
    limit: Annotated[int, Field(ge=1)] = 600,
) -> list[End]:
    """Start every command on every host and return; fail only where one could not be started.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        hosts: Hosts, as a pattern.
        commands: Shell commands by label.
        limit: Seconds after which each host ends what still runs.
    """
    jobs = [Job(jid=jid_for(label), cmd=command, label=label, limit=limit) for label, command in commands.items()]
    steps = [(job, host) for host in host_names(access, hosts) for job in jobs]
    started = [start_job.submit(job, host, access) for job, host in steps]
    ends = [
        left_running(job.label, host, outcome_of(start), access)
        for (job, host), start in zip(steps, started, strict=True)
    ]
    raise_for(ends)
    return ends
