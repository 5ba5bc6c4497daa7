"""The steps of a backup plan, and what each made."""

from __future__ import annotations

from dataclasses import dataclass, replace

from prefect.runtime import flow_run

from remotejobs.errors import RemoteJobsError
from remotejobs.operations.backup import BackupPlan, BackupReport, Item, job_of, report_of
from remotejobs.operations.backup.script import GRACE, label_of
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import select_hosts
from remotejobs.prefect.tasks.jobs.ends import WARNING, End
from remotejobs.prefect.tasks.jobs.host_group import Step
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.reports import Row
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.runs.options import options_of_this_run
from remotejobs.text import duration, number_of, size


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """How one item's backup on one host ended, and its report when it left one.

    The report of an end that failed is that of an incomplete backup.
    """

    end: End
    report: BackupReport | None = None


def steps_of(access: Access, plan: BackupPlan, poll: float = 15) -> tuple[list[Step], list[End]]:
    """The job of each item on each of its hosts, and the ends of items whose hosts are not known: these must not stop
    the others. Of a shard only what is its own. Every `poll` seconds a job is looked at.
    """
    steps: list[Step] = []
    unknown: list[End] = []
    for item in plan.items:
        try:
            hosts = select_hosts(access, item.hosts)
        except RemoteJobsError as exc:
            unknown.append(End(host=item.hosts, step=label_of(item), state="error", reason=str(exc)))
            continue
        # The host ends a job at its limit, and its wait for another job of the item after as long; looking for longer
        # than that sees how.
        until = Until.outlasting(2 * (item.limit + GRACE), delay=poll)
        steps += [Step(job_of(plan, item, host=host, jid=jid_of(item)), host, until) for host in hosts]
    # These the whole run tells.
    return steps, [] if options_of_this_run().part.of else unknown


def name_of_run() -> str:
    """backup of 6 items, or the shard of it"""
    part = options_of_this_run().part
    if part.of:
        return f"backup, {number_of(len(part.hosts), 'host')}: {part}"
    items = BackupPlan.model_validate(flow_run.parameters["plan"]).items
    return f"backup of {len(items)} items" if len(items) > 1 else f"backup of {items[0].name}"


def jid_of(item: Item, *, run: str = "") -> str:
    """The jid of an item's job in the flow run under way, or in `run`; the same on each of the item's hosts."""
    return jid_for("backup", item.name, run=run)


def backup_of(end: End) -> Backup:
    """The backup that a job made. One that succeeded without saying so in full did not succeed."""
    if end.record is None:
        return Backup(end=end)
    try:
        report = report_of(end.record)
    except RemoteJobsError as exc:
        return Backup(end=replace(end, succeeded=False, state="error", reason=str(exc)) if end.succeeded else end)
    if end.succeeded and report.warnings:
        end = replace(end, state=WARNING, reason="; ".join(report.warnings))
    return Backup(end=end, report=report)


def end_and_row(backup: Backup) -> tuple[End, Row]:
    """How it ended, and its row of the nightly table."""
    end, report = backup.end, backup.report
    return end, {
        "host": end.host,
        "item": end.step,
        "state": end.state,
        "size": size(report.bytes) if report else "",
        "duration": duration(end.record.delta) if end.record else "",
        "restore-tested": _tested(report) if report else "",
        "path": report.path if report else "",
        "sha256": report.sha256 if report else "",
        "kept": report.kept if report else "",
        "removed": report.removed if report else "",
        "reason": end.reason,
    }


def _tested(report: BackupReport) -> str:
    """`untested` is what was to be tested, and was not; `no` is what nobody asked for."""
    if report.untested:
        return "untested"
    return "yes" if report.restore_tested else "no"
