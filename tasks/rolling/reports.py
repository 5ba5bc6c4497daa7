"""What people see of a rolling update: how far it is, while it runs, and the table of its hosts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State as RunState
from prefect.states import Completed, Failed

from remotejobs.operations.rolling import Budget, HostReport, Update, UpdateOutcome, summary
from remotejobs.operations.rolling.order import Batch
from remotejobs.prefect.tasks.jobs.reports import publish_table

_KEY = "rolling-update"


class UpdateProgress:
    """A progress bar in the UI: hosts that are through, of all."""

    def __init__(self, hosts: int, earlier: Sequence[HostReport] = ()) -> None:
        self._hosts = hosts
        self._through = {report.host for report in earlier}
        made = create_progress_artifact(self._percent, key=f"{_KEY}-progress", description=self._said)
        assert isinstance(made, UUID)  # a coroutine only where an event loop runs
        self._artifact = made

    def add(self, report: HostReport) -> None:
        """One more host is through; one that is changed a second time, as in a revert, counts once."""
        self._through.add(report.host)
        line = f"{report.host}: {report.said}"
        logger = get_run_logger()
        (logger.error if report.failed else logger.info)("%s", line)
        update_progress_artifact(self._artifact, self._percent, description=f"{self._said}; {line}")

    @property
    def _percent(self) -> float:
        return 100 * len(self._through) / self._hosts

    @property
    def _said(self) -> str:
        return f"{len(self._through)} of {self._hosts} hosts"


def why_stop(budget: Budget, batch: Batch, total: int, reports: Sequence[HostReport]) -> str:
    """Why the update must stop after `batch`, or "" when it may go on."""
    of_batch = [report for report in reports if report.host in batch.hosts]
    failed_in_batch = sum(report.failed for report in of_batch)
    if batch.canary and failed_in_batch:
        return f"{failed_in_batch} of {len(batch.hosts)} canaries failed"
    if batch.spare and failed_in_batch == len(batch.hosts):
        return "no spare host could be put in"
    failed = sum(report.failed for report in reports)
    return budget.exceeded(failed=failed, total=total, failed_in_batch=failed_in_batch, batch=len(batch.hosts))


def with_not_started(hosts: Sequence[str], reports: Sequence[HostReport]) -> list[HostReport]:
    """One report for every host, in the order of the hosts."""
    known = {report.host: report for report in reports}
    return [known.get(host, HostReport(host=host, outcome=UpdateOutcome.NOT_STARTED)) for host in hosts]


def publish(update: Update, reports: Sequence[HostReport]) -> None:
    """The table of all hosts."""
    worst_first = sorted(reports, key=lambda report: not report.failed)
    publish_table(_KEY, f"Rolling update to {update.version}", [dict(report.row()) for report in worst_first])


def end_state(update: Update, stopped: str, reports: Sequence[HostReport]) -> RunState[None]:
    """Completed; Reverted when it was stopped and all that was to be reverted is; Stopped otherwise."""
    said = summary(reports)
    if not stopped:
        return Completed(message=said)
    reverted = any(report.outcome is UpdateOutcome.REVERTED for report in reports)
    left = any(report.outcome is UpdateOutcome.NOT_REVERTED for report in reports)
    name = "Reverted" if reverted and not left else "Stopped"
    return Failed(name=name, message=f"Update to {update.version} stopped: {stopped}. {said}")
