"""Copies of backups in a flow: after the jobs, each place gets what it lacks, and the table says where copies are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.operations.backup import BackupPlan, Item
from remotejobs.operations.backup.catalogue import Copied
from remotejobs.operations.backup.copies.send import CopyOutcome, copy_backups
from remotejobs.operations.backup.item.script import label_of
from remotejobs.operations.transfer import Moved
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.backups.items import Backup
from remotejobs.prefect.tasks.connections import fleet_with
from remotejobs.prefect.tasks.jobs.bars import Bar
from remotejobs.prefect.tasks.jobs.reports import key_of
from remotejobs.prefect.tasks.jobs.results import WARNING, values_of
from remotejobs.text import size

AT_A_TIME = 8  # hosts whose backups are copied: all of it goes through this machine


@task(task_run_name="copy {item.name} of {host}", cache_policy=NO_CACHE)
def copy_item(access: Access, plan: BackupPlan, item: Item, host: str) -> CopyOutcome:
    """Send the backups of an item to the plan's other hosts; run again, it goes on where it was."""
    bar: Bar | None = None

    def report(moved: Moved) -> None:
        nonlocal bar
        bar = bar or Bar(key_of("copy", f"{host}-{item.name}"), f"{item.name} of {host}")
        percent = 100 * moved.done / moved.total if moved.total else 100.0
        bar.move(percent, f"{size(moved.done)} of {size(moved.total)}", over=moved.done == moved.total)

    outcome = copy_backups(fleet_with(host, access), host, plan, item, become=access.choice(), report=report)
    for problem in outcome.problems:
        get_run_logger().warning("%s of %s: %s", item.name, host, problem)
    return outcome


def with_copies(access: Access, plan: BackupPlan, backups: Sequence[Backup]) -> list[Backup]:
    """The same, once copies of what was backed up are where the plan wants them. A backup without one is a warning."""
    if not (plan.copies or plan.copy_commands):
        return list(backups)
    items = {label_of(item): item for item in plan.items}
    copied = list(backups)
    wanted = [number for number, each in enumerate(backups) if each.report and not each.report.incomplete]
    for first in range(0, len(wanted), AT_A_TIME):
        runs = {
            str(number): copy_item.submit(access, plan, items[backups[number].result.step], backups[number].result.host)
            for number in wanted[first : first + AT_A_TIME]
        }
        outcomes, results = values_of("copy", runs)
        for result in results:
            backup, outcome = backups[int(result.host)], outcomes.get(result.host)
            problems = outcome.problems if outcome else (f"it is not known where copies are: {result.reason}",)
            copied[int(result.host)] = _copied(backup, outcome.copies if outcome else None, problems)
    return copied


def _copied(backup: Backup, copies: tuple[Copied, ...] | None, problems: Sequence[str]) -> Backup:
    result = backup.result
    if result.succeeded and problems:
        reason = "; ".join(filter(None, [result.reason, *problems]))
        result = replace(result, state=WARNING, reason=reason)
    return replace(backup, result=result, copies=copies)
