"""The steps of a backup plan, and what each made."""

from __future__ import annotations

from dataclasses import dataclass, replace

from remotejobs.backup import BackupPlan, BackupReport, Item, report_of
from remotejobs.backup.script import label_of
from remotejobs.display.text import duration, size
from remotejobs.errors import RemoteJobsError
from tasks.access import Access
from tasks.connections import host_names
from tasks.ends import End
from tasks.jids import jid_for
from tasks.reports import Row
from tasks.shards import WHOLE, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """How one item's backup on one host ended, and its report when there is a good one."""

    end: End
    report: BackupReport | None = None


def steps_of(access: Access, plan: BackupPlan, part: Part = WHOLE) -> tuple[list[tuple[Item, str]], list[Backup]]:
    """Each item with each of its hosts, and the items whose hosts are not known: these must not stop the others.

    Of a shard only its hosts, and none of what the whole run tells.
    """
    steps: list[tuple[Item, str]] = []
    unknown: list[Backup] = []
    for item in plan.items:
        try:
            steps += [(item, host) for host in part.among(host_names(access, item.hosts))]
        except RemoteJobsError as exc:
            end = End(host=item.hosts, step=label_of(item), state="error", reason=str(exc))
            unknown.append(Backup(end=end))
    return steps, [] if part.of else unknown


def jid_of(item: Item, *, run: str = "") -> str:
    """The jid of an item's job in the flow run under way, or in `run`; the same on each of the item's hosts."""
    return jid_for("backup", item.name, run=run)


def backup_of(end: End) -> Backup:
    """The backup that a job made. One that succeeded without saying so in full did not succeed."""
    if not end.succeeded or end.record is None:
        return Backup(end=end)
    try:
        return Backup(end=end, report=report_of(end.record))
    except RemoteJobsError as exc:
        return Backup(end=replace(end, succeeded=False, state="error", reason=str(exc)))


def row_of(backup: Backup) -> Row:
    """One row of the nightly table."""
    end, report = backup.end, backup.report
    tested = "yes" if report and report.restore_tested else "no"
    return {
        "host": end.host,
        "item": end.step,
        "state": end.state,
        "size": size(report.bytes) if report else "",
        "duration": duration(end.record.delta) if end.record else "",
        "restore-tested": tested if report else "",
        "path": report.path if report else "",
        "sha256": report.sha256 if report else "",
        "kept": report.kept if report else "",
        "removed": report.removed if report else "",
        "reason": end.reason,
    }
