"""What a cancelled run left behind: in its log, in a table that is attached to it, and in one line for its state."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import ArtifactSort
from prefect.logging.loggers import flow_run_logger

from remotejobs.prefect.tasks.cancel.last_word import leave_last_word
from remotejobs.prefect.tasks.timings import timings
from remotejobs.text import number_of, visible

KEY = "cancelled"
_NAMED = 20  # jobs in a state's message


@dataclass(frozen=True, slots=True)
class CancelledJob:
    """What became of one job; `open_end`: it may still run, for all that is known, or something of it survived.

    `goes_on`: it runs, and is meant to finish.
    """

    host: str
    label: str
    said: str
    open_end: bool = False
    goes_on: bool = False

    @property
    def words(self) -> str:
        return visible(f"{self.label} on {self.host}{' MAY STILL RUN. ' if self.open_end else ': '}{self.said}")


@contextmanager
def speaking(flow_run: FlowRun) -> Iterator[None]:
    """Log meanwhile that its jobs are being ended: it may take long, and without a log it counts as dead."""
    over = threading.Event()

    def speak() -> None:
        while not over.wait(timings().cancel_log_interval):
            flow_run_logger(flow_run).info("its jobs are being ended")

    speaker = threading.Thread(target=speak, name="speaking", daemon=True)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()


def report_cancelled(flow_run: FlowRun, results: Sequence[CancelledJob], *, line: str = "") -> None:
    """Log every end, attach the table, and log the line that sums it up: `line`, and what may still run.

    The line is the beginning of the message of the run's last state, which then names the ends.
    """
    logger = flow_run_logger(flow_run)
    in_order = sorted(results, key=lambda result: not result.open_end)
    for result in results:
        (logger.error if result.open_end else logger.info)("%s", result.words)
    still = _named(result for result in results if result.open_end)
    left = f"MAY STILL RUN: {still}; its table `{KEY}` shows how to end that" if still else ""
    line = ". ".join(words for words in (line, left) if words) or _all_ended(results)
    attach(
        flow_run,
        line,
        [_row(result) for result in in_order],
        message_of(line, in_order),
    )


def message_of(line: str, results: Sequence[CancelledJob]) -> str:
    """The line and what became of each job, in one paragraph; of many jobs the last are only counted."""
    ends = [f"• {result.words}" for result in results[:_NAMED]]
    more = len(results) - _NAMED
    return "\n".join([line, *ends, *([f"• and {number_of(more, 'more job')}"] if more > 0 else [])])


def _row(result: CancelledJob) -> dict[str, str]:
    state = "MAY STILL RUN" if result.open_end else "goes on" if result.goes_on else "ended"
    return {"host": result.host, "state": state, "reason": visible(result.said), "job": result.label}


def _all_ended(results: Sequence[CancelledJob]) -> str:
    over = sum(not result.goes_on for result in results)
    ended = f"None of its {number_of(over, 'job')} runs any more" if over else "No job of it was found to end"
    going = _named(result for result in results if result.goes_on)
    return f"{ended}. Left to finish: {going}" if going else ended


def _named(results: Iterable[CancelledJob]) -> str:
    return ", ".join(f"{result.label} on {result.host}" for result in results)


def attach(flow_run: FlowRun, line: str, rows: Sequence[Mapping[str, str]], message: str = "") -> None:
    """Log `line`, attach the table to the cancelled run with the line over it, and leave `message` for its state.

    By default that is the line.
    """
    flow_run_logger(flow_run).info("%s", line)
    # A hook has no run of its own that Prefect's helper could attach it to.
    artifact = ArtifactCreate(key=KEY, type="table", data=json.dumps(rows), description=line, flow_run_id=flow_run.id)
    with get_client(sync_client=True) as client:
        client.create_artifact(artifact)
    leave_last_word(flow_run, message or line)


def line_of(client: SyncPrefectClient, flow_run: FlowRun) -> str:
    """The last line that was logged of this cancelled run; "" when nothing was."""
    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run.id]), key=ArtifactFilterKey(any_=[KEY]))
    artifact = client.read_artifacts(artifact_filter=mine, sort=ArtifactSort.CREATED_DESC, limit=1)
    return artifact[0].description or "" if artifact else ""
