"""Restore a backup on its hosts: beside what is there, counted, and only then under its name."""

from __future__ import annotations

from typing import Annotated, Any

from prefect.client.schemas.objects import State as RunState
from pydantic import Field

from remotejobs.operations.backup import Restore
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.approval import NOT_NEEDED, Approval
from remotejobs.prefect.tasks.backups.restores import (
    Restored,
    bring,
    find,
    name_of_run,
    not_approved,
    restored_of,
    result_and_row,
    steps_of_restore,
    would_be_restored,
)
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, run_jobs, select_hosts
from remotejobs.prefect.tasks.migration.run import refused, state_of
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.runs.options import OnCancel


@remote_flow("restore", run_name=name_of_run)
def restore(
    access: Access,
    hosts: HostPattern,
    restore: Restore,
    approval: Approval = NOT_NEEDED,
    poll: Annotated[float, Field(ge=1)] = 15,
    on_cancel: OnCancel = "kill",  # noqa: ARG001 - the hook reads it
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
    dry_run: bool = False,
) -> list[Restored] | RunState[Any]:
    """Restore the latest good backup of an item, or that of a time, on every host of a pattern.

    What exists is replaced only after a person agreed in the UI, and stays under another name.

    Args:
        hosts: Hosts to restore on, which have the backup, or get a copy of it: db1.
        restore: Which backup, and where to.
        approval: Whether a person has to agree even where nothing is replaced, and for how long to wait for a yes.
        poll: Seconds between two polls of a running job.
        on_cancel: What becomes of its jobs when it is cancelled: kill them, with proof, or leave them running.
        dry_run: Show which backup would be restored and what would be replaced, and change nothing.
    """
    found = find(access, restore, select_hosts(access, hosts))
    if dry_run:
        return would_be_restored(restore, found)
    if no := not_approved(approval, restore, found):
        return state_of(refused(no))
    steps = steps_of_restore(restore, bring(access, restore, found), poll)
    title = f"{restore.item}, restored to {restore.target}"
    return run_jobs(steps, access, title=title, key="restore", result=restored_of, reported=result_and_row)
