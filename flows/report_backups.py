"""One page on the backups of a month, from the records on the hosts alone: backed up, tested, copied, missing."""

from __future__ import annotations

from typing import Annotated, Any

from prefect.client.schemas.objects import State as RunState
from prefect.states import Completed

from remotejobs.operations.backup import BackupPlan
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.backups.evidence import BackupReportPage, month_page
from remotejobs.prefect.tasks.flow import remote_flow
from remotejobs.prefect.tasks.jobs.results import RUN_WARNING
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.text import number_of
from remotejobs.worded import Worded

_MONTH = Worded(r"(\d{4}-(0[1-9]|1[0-2]))?", "a month as 2026-11")


@remote_flow("report-backups", run_name="backups of {month}")
def report_backups(
    access: Access,
    plan: BackupPlan,
    month: Annotated[str, _MONTH] = "",
    file: str = "backup-report-{month}.md",
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> BackupReportPage | RunState[Any]:
    """Make the page of a month; the run is a warning where something is missing, or a host could not be asked.

    Args:
        plan: What was to be backed up, as in the deployment that does it, and where its records lie.
        month: The month, as 2026-11; empty: the last one.
        file: Where the worker writes the page, with {month} in its name; empty: only the artifact.
    """
    made = month_page(access, plan, month, file)
    if not (made.amiss or made.unknown):
        return made
    said = f"{number_of(made.amiss, 'item')} with something missing, {number_of(made.unknown, 'host')} not asked"
    return Completed(name=RUN_WARNING, message=f"{made.month}: {said}; see the artifact backup-report", data=made)
