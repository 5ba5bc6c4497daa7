"""The steps of a backup plan, and what each made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prefect.runtime import flow_run

from remotejobs.errors import RemoteJobsError
from remotejobs.operations.backup import BackupPlan, BackupReport, Item, job_of, report_of
from remotejobs.operations.backup.catalogue import Copied
from remotejobs.operations.backup.item.script import GRACE, label_of
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.flow import select_hosts
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.reports import TableRow, head_of
from remotejobs.prefect.tasks.jobs.results import WARNING, JobResult
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.runs.options import options_of_this_run
from remotejobs.renamed import warn_renamed
from remotejobs.text import duration, number_of, size


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """How one item's backup on one host ended, its report when it left one, and where copies of it are.

    The report of an end that failed is that of an incomplete backup.
    """

    result: JobResult
    report: BackupReport | None = None
    copies: tuple[Copied, ...] | None = ()  # None: it is not known

    @property
    def end(self) -> JobResult:
        """The old name of `result`."""
        warn_renamed("Backup.end", "result")
        return self.result


def steps_of(access: Access, plan: BackupPlan, poll: float = 15) -> tuple[list[JobStep], list[JobResult]]:
    """The job of each item on each of its hosts, and the ends of items whose hosts are not known: these must not stop
    the others. Of a shard only what is its own. Every `poll` seconds a job is polled.
    """
    steps: list[JobStep] = []
    unknown: list[JobResult] = []
    for item in plan.items:
        try:
            hosts = select_hosts(access, item.hosts)
        except RemoteJobsError as exc:
            unknown.append(JobResult(host=item.hosts, step=label_of(item), state="error", reason=str(exc)))
            continue
        # The host ends a job at its timeout, and its wait for another job of the item after as long; polling for longer
        # than that shows how.
        until = Until.outlasting(2 * (item.timeout + GRACE), delay=poll)
        run = options_of_this_run().shard.of or flow_run.id or ""
        steps += [JobStep(job_of(plan, item, host=host, jid=jid_of(item), run=run), host, until) for host in hosts]
    # The run that was split reports these.
    return steps, [] if options_of_this_run().shard.of else unknown


def name_of_run() -> str:
    """backup of 6 items, or the shard of it"""
    shard = options_of_this_run().shard
    if shard.of:
        return f"backup, {number_of(len(shard.hosts), 'host')}: {shard}"
    items = BackupPlan.model_validate(flow_run.parameters["plan"]).items
    return f"backup of {len(items)} items" if len(items) > 1 else f"backup of {items[0].name}"


def jid_of(item: Item, *, run: str = "") -> str:
    """The jid of an item's job in the flow run under way, or in `run`; the same on each of the item's hosts."""
    return jid_for("backup", item.name, run=run)


def backup_of(result: JobResult) -> Backup:
    """The backup that a job made. One that succeeded without saying so in full did not succeed."""
    if result.record is None:
        return Backup(result=result)
    try:
        report = report_of(result.record)
    except RemoteJobsError as exc:
        return Backup(
            result=replace(result, succeeded=False, state="error", reason=str(exc)) if result.succeeded else result
        )
    if result.succeeded and report.warnings:
        result = replace(result, state=WARNING, reason="; ".join(report.warnings))
    return Backup(result=result, report=report)


def result_and_row(backup: Backup) -> tuple[JobResult, TableRow]:
    """How it ended, and its row of the nightly table."""
    result, report = backup.result, backup.report
    return result, {
        **head_of(result, reported=report is not None),
        "item": result.step,
        "size": size(report.bytes) if report else "",
        "duration": duration(result.record.delta) if result.record else "",
        "restore-tested": _tested(report) if report else "",
        "path": report.path if report else "",
        "sha256": report.sha256 if report else "",
        "copies": copies_in_words(backup.copies) if report else "",
        "kept": report.kept if report else "",
        "removed": report.removed if report else "",
    }


def copies_in_words(copies: Sequence[Copied] | None) -> str:
    """`vault on vault1, seen whole 2026-11-30T02:04:00Z`, or `local only`, or `unknown`."""
    if copies is None:
        return "unknown"
    said = [
        f"{each.place}{f' on {each.host}' if each.host else ''}, {'encrypted, ' if each.encrypted else ''}"
        f"seen whole {each.seen}"
        for each in copies
    ]
    return "; ".join(dict.fromkeys(said)) or "local only"


def _tested(report: BackupReport) -> str:
    """`untested` is what was to be tested, and was not; `no` is what was not to be tested."""
    if report.untested:
        return "untested"
    return "yes" if report.restore_tested else "no"
