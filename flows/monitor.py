"""Check the jobs of all hosts every few minutes, and notify once of each that was lost or takes too long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.jobs.summary import in_order, is_recent, now, summary
from remotejobs.operations.alerts import Overdue, alerts
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow
from remotejobs.prefect.tasks.jobs.reports import publish_table
from remotejobs.prefect.tasks.monitor import Survey, publish_alerts, raise_for_alerts, seen_row, survey
from remotejobs.prefect.tasks.notify import NOBODY, Notify

A_DAY = Overdue()


@remote_flow("monitor", run_name="monitor {hosts}")
def monitor(
    access: Access,
    hosts: HostPattern = "all",
    overdue: Overdue = A_DAY,
    recent_hours: Annotated[float, Field(ge=0)] = 24,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> Survey:
    """Show what runs, what ended lately and what was lost; fail once for each lost or overdue job and unreachable host.

    The run fails only for what the run before it, of the same hosts, did not see: so each is reported once.

    Args:
        access: Where the hosts are written down, and as whose user to check.
        hosts: Hosts to check, as a pattern: all, web*, databases.
        overdue: When a job that runs has run too long.
        recent_hours: Show jobs that ended within so many hours.
    """
    seen = survey(access, hosts)
    recent = in_order(record for record in seen.records if is_recent(record, recent_hours * 3600, now()))
    publish_table("fleet", f"{hosts}: {summary(recent)}", [seen_row(record) for record in recent])
    raise_for_alerts(publish_alerts(alerts(seen.records, seen.unreachable, overdue), seen, access, hosts))
    return seen
