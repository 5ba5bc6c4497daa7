"""What each flow would run where, for its dry run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remotejobs.backup import BackupPlan, job_of
from remotejobs.batches import batches
from remotejobs.migration import Step
from remotejobs.rolling import Update
from remotejobs.rolling.order import in_batches
from remotejobs.upgrade import Upgrade, install_job, prepare_job
from tasks.access import Access
from tasks.backups import jid_of, steps_of
from tasks.dry_run import Planned
from tasks.ends import raise_for
from tasks.jids import jid_for
from tasks.migrations import Migration

_WHEN = {
    Step.PREPARE_ROLLBACK: "beside migrate",
    Step.VERIFY: "after migrate",
    Step.ROLLBACK: "only after a failure",
    Step.VERIFY_ROLLBACK: "after rollback",
}


def commands_of(label: str, command: str, hosts: Iterable[str], limit: int) -> Iterator[Planned]:
    for host in hosts:
        yield Planned(host=host, step=label, cmd=command, limit=limit or None)


def backups_of(access: Access, plan: BackupPlan, when: str = "") -> list[Planned]:
    """Raises `HostsFailed` for an item whose hosts are not known."""
    steps, unknown = steps_of(access, plan)
    raise_for(each.end for each in unknown)
    jobs = [(host, job_of(plan, item, host=host, jid=jid_of(item))) for item, host in steps]
    return [Planned(host=host, step=job.label, cmd=job.cmd, limit=job.limit, when=when) for host, job in jobs]


def upgrades_of(hosts: tuple[str, ...], plan: Upgrade) -> Iterator[Planned]:
    """Reboots are no commands, and are not known before."""
    jobs = [prepare_job(plan, jid_for("prepare")), install_job(plan, jid_for("install"))]
    for number, batch in enumerate(batches(hosts, plan.serial), 1):
        for host in batch:
            for job in jobs:
                yield Planned(host=host, step=job.label, cmd=job.cmd, limit=job.limit, when=f"batch {number}")


def updates_of(hosts: tuple[str, ...], update: Update) -> Iterator[Planned]:
    """As if no host had been updated before; reverting, which only a failure asks for, is left out."""
    for batch in in_batches(hosts, update.serial, update.canary):
        for host in batch.hosts:
            yield Planned(
                host=host,
                step=f"deploy {update.version}",
                cmd=update.deploy,
                limit=update.limit,
                when=f"batch {batch.name}",
            )


def migration_of(migration: Migration, backup_first: BackupPlan | None) -> Iterator[Planned]:
    if backup_first:
        yield from backups_of(migration.access, backup_first, "first")
    for host in migration.plan.hosts:
        for step in Step:
            if step in migration.plan.steps:
                yield Planned(
                    host=host,
                    step=step,
                    cmd=migration.commands.of(step),
                    limit=migration.limits.of(step),
                    when=_WHEN.get(step, ""),
                )
