"""Verifying old backups in a flow: the job of each host, and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from remotejobs.errors import RemoteJobsError
from remotejobs.operations.backup import Verify, VerifyReport
from remotejobs.operations.backup.item.script import GRACE
from remotejobs.operations.backup.verify import verify_job, verify_report_of
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.reports import TableRow, head_of
from remotejobs.prefect.tasks.jobs.results import WARNING, JobResult
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.text import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How the verification of a host ended, and its report: also of one that failed because of damage."""

    result: JobResult
    report: VerifyReport | None = None


def steps_of_verify(verify: Verify, hosts: Sequence[str], poll: float) -> list[JobStep]:
    until = Until.outlasting(2 * (verify.timeout + GRACE), delay=poll)
    return [JobStep(verify_job(verify, jid=jid_for("verify", verify.item)), host, until) for host in hosts]


def verified_of(result: JobResult) -> Verified:
    """What a job found. One that succeeded without saying so in full did not succeed."""
    if result.record is None:
        return Verified(result=result)
    report: VerifyReport | None = None
    if not result.succeeded:
        with suppress(RemoteJobsError):
            report = verify_report_of(result.record)
        return Verified(result=result, report=report)
    try:
        report = verify_report_of(result.record)
    except RemoteJobsError as exc:
        return Verified(result=replace(result, succeeded=False, state="error", reason=str(exc)))
    if report.warnings:
        result = replace(result, state=WARNING, reason="; ".join(report.warnings))
    return Verified(result=result, report=report)


def result_and_row(verified: Verified) -> tuple[JobResult, TableRow]:
    """How it ended, and its row of the table."""
    result, report = verified.result, verified.report
    return result, {
        **head_of(result, reported=report is not None),
        "duration": duration(result.record.delta) if result.record else "",
        "whole": report.good if report else "",
        "damaged": report.damaged if report else "",
        "not read": report.unread if report else "",
        "restored": report.restored if report else "",
    }
