"""Back up databases and files of many hosts: each item is a detached job of its own that checks what it made."""

from __future__ import annotations

from prefect import flow

from remotejobs.backup import BackupPlan, job_of
from remotejobs.backup.script import GRACE, label_of
from tasks.access import Access
from tasks.backups import Backup, backup_of, row_of, steps_of
from tasks.ends import end_of, raise_for
from tasks.jids import jid_for
from tasks.jobs import poll_until, start_job
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.reports import publish_table
from tasks.until import Until


@flow(name="backup", on_failure=[tell_webhook, tell_block], on_crashed=[tell_webhook, tell_block])
def backup(
    access: Access,
    plan: BackupPlan,
    poll: float = 15,
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Backup]:
    """Back up every item of the plan on each of its hosts, all at once; fail at the end, naming those that failed.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        plan: What to back up, where to, and for how long to keep it.
        poll: Seconds between two looks at a running job.
        notify: Whom to tell when the run failed.
    """
    steps, backups = steps_of(access, plan)
    started = [
        start_job.submit(job_of(plan, item, host=host, jid=jid_for("backup", item.name)), host, access)
        for item, host in steps
    ]
    polled = [
        # The host ends the job at its limit; looking for longer than that sees how.
        poll_until(Until.outlasting(item.limit + 2 * GRACE, delay=poll)).submit(start, access)
        for (item, _), start in zip(steps, started, strict=True)
    ]
    for (item, host), start, poll_run in zip(steps, started, polled, strict=True):
        backups.append(backup_of(end_of(label_of(item), host, start, poll_run)))
    publish_table("backups", "What was backed up, and where it is", [row_of(each) for each in backups])
    raise_for(each.end for each in backups)
    return backups
