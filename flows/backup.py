"""Back up databases and files of many hosts: each item is a detached job of its own that checks what it made."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from remotejobs.backup import BackupPlan, job_of
from remotejobs.backup.script import GRACE, label_of
from tasks.access import Access
from tasks.backups import Backup, backup_of, jid_of, row_of, steps_of
from tasks.cancel import OnCancel, kill_jobs
from tasks.dry_run import would_run
from tasks.ends import end_of, raise_for
from tasks.fence import end_when_unwanted
from tasks.jobs import poll_until, start_job
from tasks.limits import share_of_forks
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.planned import backups_of
from tasks.reports import publish_table
from tasks.run_names import of_backup
from tasks.until import Until


@flow(
    name="backup",
    flow_run_name=of_backup,
    on_running=[end_when_unwanted],
    on_failure=[tell_webhook, tell_block],
    on_crashed=[tell_webhook, tell_block],
    on_cancellation=[kill_jobs],
)
def backup(
    access: Access,
    plan: BackupPlan,
    poll: Annotated[float, Field(ge=1)] = 15,
    on_cancel: OnCancel = "kill",  # noqa: ARG001 - the hook reads it
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
    dry_run: bool = False,
) -> list[Backup]:
    """Back up every item of the plan on each of its hosts, all at once; fail at the end, naming those that failed.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        plan: What to back up, where to, and for how long to keep it.
        poll: Seconds between two looks at a running job.
        on_cancel: What becomes of its jobs when the run is cancelled: kill them, with proof, or leave them running.
        notify: Whom to tell when the run failed.
        dry_run: Show what would run where, and run nothing.
    """
    if dry_run:
        return would_run(backups_of(access, plan), access)
    steps, backups = steps_of(access, plan)
    jobs = [job_of(plan, item, host=host, jid=jid_of(item)) for item, host in steps]
    # The host ends a job at its limit; looking for longer than that sees how.
    polls = [poll_until(Until.outlasting(item.limit + 2 * GRACE, delay=poll)) for item, _ in steps]
    with share_of_forks(access):
        started = [start_job.submit(job, host, access) for job, (_, host) in zip(jobs, steps, strict=True)]
        polled = [each.submit(start, access) for each, start in zip(polls, started, strict=True)]
        for (item, host), start, poll_run in zip(steps, started, polled, strict=True):
            backups.append(backup_of(end_of(label_of(item), host, start, poll_run)))
        publish_table("backups", "What was backed up, and where it is", [row_of(each) for each in backups])
        raise_for(each.end for each in backups)
        return backups
