"""Back up databases and files of many hosts: each item is a detached job of its own that checks what it made."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from remotejobs.backup import BackupPlan, job_of
from remotejobs.backup.script import GRACE
from tasks.access import Access
from tasks.backups import Backup, backup_of, jid_of, row_of, steps_of
from tasks.cancel import OnCancel, kill_jobs
from tasks.dry_run import would_run
from tasks.ends import End, raise_for
from tasks.fence import end_when_unwanted
from tasks.host_group import Step
from tasks.limits import share_of_forks
from tasks.look_after import look_after
from tasks.notify import NOBODY, Notify, tell_block, tell_webhook
from tasks.planned import backups_of
from tasks.reports import Row
from tasks.run_names import of_backup
from tasks.shard_reports import publish_ends
from tasks.shard_stop import may_begin
from tasks.sharding import ends_in_shards
from tasks.shards import IN_ONE_RUN, WHOLE, Part, Shards
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
    group: Annotated[int, Field(ge=0)] = 0,
    on_cancel: OnCancel = "kill",  # noqa: ARG001 - the hook reads it
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
    dry_run: bool = False,
    shards: Shards = IN_ONE_RUN,
    part: Part = WHOLE,
) -> list[Backup]:
    """Back up every item of the plan on each of its hosts, all at once; fail at the end, naming those that failed.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        plan: What to back up, where to, and for how long to keep it.
        poll: Seconds between two looks at a running job.
        group: Hosts that share one task run; 1 for one each, 0 for one each up to 50 hosts and about 100 above.
        on_cancel: What becomes of its jobs when the run is cancelled: kill them, with proof, or leave them running.
        notify: Whom to tell when the run failed.
        dry_run: Show what would run where, and run nothing.
        shards: Whether other workers do it, each on a share of the hosts.
        part: Filled in for the runs of those workers.
    """
    if dry_run:
        return would_run(backups_of(access, plan), access)
    found, unknown = steps_of(access, plan, part)
    steps = [
        # The host ends a job at its limit; looking for longer than that sees how.
        Step(
            job_of(plan, item, host=host, jid=jid_of(item, run=part.of)),
            host,
            Until.outlasting(item.limit + 2 * GRACE, delay=poll),
        )
        for item, host in found
    ]
    if shards.wanted:
        told = ends_in_shards(steps, access, shards, lambda end: _told(backup_of(end)))
        backups = [Backup(end=end) for end, _ in told]
    else:
        with share_of_forks(access):
            may_begin(part)
            backups = [backup_of(end) for end in look_after(steps, access, group=group, shards=part.total or 1)]
        told = [_told(each) for each in backups]
    told += [_told(each) for each in unknown]
    publish_ends("backups", "What was backed up, and where it is", told, part)
    raise_for(end for end, _ in told)
    return [*backups, *unknown]


def _told(backup: Backup) -> tuple[End, Row]:
    return backup.end, row_of(backup)
