"""Back up databases and files of many hosts: each item is a detached job of its own that checks what it made.

Afterwards copies go to other hosts, encrypted where the plan says so.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import Field

from remotejobs.operations.backup import BackupPlan
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.backups import Backup, backup_of, name_of_run, result_and_row, steps_of
from remotejobs.prefect.tasks.backups.copies import with_copies
from remotejobs.prefect.tasks.backups.ping import pinged
from remotejobs.prefect.tasks.flow import remote_flow, run_jobs
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.runs.options import RunOptions


@remote_flow("backup", run_name=name_of_run)
def backup(
    access: Access,
    plan: BackupPlan,
    poll: Annotated[float, Field(ge=1, description="Seconds between two polls of a running job.")] = 15,
    run: RunOptions = RunOptions(),
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Backup]:
    """Back up every item of the plan on each of its hosts, all at once; fail at the end, naming those that failed.

    Args:
        plan: What to back up, where to, and for how long to keep it.
    """
    steps, unknown = steps_of(access, plan, poll)
    title = "What was backed up, and where it is"
    silent = run.dry_run or bool(run.shard.of)
    with pinged("" if silent else plan.ping_url, block="" if silent else plan.ping_block):
        return run_jobs(
            steps,
            access,
            run=run,
            title=title,
            key="backups",
            known=unknown,
            result=backup_of,
            then=partial(with_copies, access, plan),
            reported=result_and_row,
        )
