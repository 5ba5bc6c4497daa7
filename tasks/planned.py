"""What each flow would run where, for its dry run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from remotejobs.operations.backup import BackupPlan
from remotejobs.operations.batches import Serial, batches
from remotejobs.operations.migration import MigrationStep
from remotejobs.operations.reboot import Reboot
from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.order import Batch, in_batches
from remotejobs.operations.upgrade import Upgrade, install_job, prepare_job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.backups import steps_of
from remotejobs.prefect.tasks.dry_run import PlannedStep
from remotejobs.prefect.tasks.flow import planned_of
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.results import raise_for
from remotejobs.prefect.tasks.migration.migration import Migration
from remotejobs.prefect.tasks.rolling.found import Found

_WHEN = {
    MigrationStep.BEFORE: "first, under the lock",
    MigrationStep.PREPARE_ROLLBACK: "beside migrate",
    MigrationStep.VERIFY: "after migrate",
    MigrationStep.STOP: "after a failure, before rollback",
    MigrationStep.VERIFY_STOP: "after stop",
    MigrationStep.ROLLBACK: "only after a failure",
    MigrationStep.VERIFY_ROLLBACK: "after rollback",
}


def backups_of(access: Access, plan: BackupPlan, when: str = "") -> list[PlannedStep]:
    """Raises `HostsFailed` for an item whose hosts are not known."""
    steps, unknown = steps_of(access, plan)
    raise_for(unknown)
    return [planned_of(step.job, step.host, when) for step in steps]


def upgrades_of(hosts: tuple[str, ...], plan: Upgrade) -> Iterator[PlannedStep]:
    """Reboots are no commands, and are not known before."""
    jobs = [prepare_job(plan, jid_for("prepare")), install_job(plan, jid_for("install"))]
    for number, batch in enumerate(batches(hosts, plan.serial), 1):
        for host in batch:
            for job in jobs:
                yield PlannedStep(host=host, step=job.label, cmd=job.cmd, timeout=job.timeout, when=f"batch {number}")


def reboots_of(hosts: tuple[str, ...], wanted: Reboot, serial: Serial) -> Iterator[PlannedStep]:
    for number, batch in enumerate(batches(hosts, serial), 1):
        for host in batch:
            yield PlannedStep(host=host, step="reboot", cmd=wanted.command, when=f"batch {number}")


def updates_of(
    hosts: tuple[str, ...], update: Update, found: Mapping[str, Found], spares: Sequence[str] = ()
) -> Iterator[PlannedStep]:
    """As if no host had been updated before; reverting, which only a failure asks for, is left out.

    `found` says how the hosts stand in their load balancer; one that is not there was not asked about. `spares` are put
    in first.
    """
    unknown = Found(words="", out=False)
    going = sorted(
        (
            host
            for host in hosts
            if host not in spares and not (found.get(host, unknown).out and update.found_out != "update")
        ),
        key=lambda host: found.get(host, unknown).out,
    )
    first = (Batch(number=0, hosts=tuple(spares), spare=True),) if spares else ()
    for batch in first + in_batches(going, update.serial, update.canary):
        for host in batch.hosts:
            seen = found.get(host, unknown)
            yield PlannedStep(
                host=host,
                step=f"deploy {update.version}",
                cmd=update.deploy,
                timeout=update.timeout,
                when=f"batch {batch.name}" + (f"; balancer: {seen.words}" if seen.words else ""),
            )
    for host in hosts:
        if host not in going and host not in spares:
            step = "left out" if update.found_out == "leave" else "refuses the update"
            yield PlannedStep(host=host, step=step, cmd="", when=f"balancer: {found[host].words}")


def migration_of(migration: Migration, backup_first: BackupPlan | None) -> Iterator[PlannedStep]:
    if backup_first:
        yield from backups_of(migration.access, backup_first, "first")
    for host in migration.plan.hosts:
        for step in MigrationStep:
            if step in migration.plan.steps:
                yield PlannedStep(
                    host=host,
                    step=step,
                    cmd=migration.commands.of(step),
                    timeout=migration.timeouts.of(step),
                    when=_WHEN.get(step, ""),
                )
