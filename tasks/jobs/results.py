"""How each of a flow's jobs ended, so that one failure neither stops nor hides the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from prefect.futures import PrefectFuture
from prefect.states import Completed

from remotejobs.errors import HostError, ProtocolError, RemoteJobsError, Unreachable
from remotejobs.model import Handle, Record, State
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.jobs.errors import HostsFailed, JobFailed, RetriesExhausted
from remotejobs.text import visible

_LONGEST = 600
_EXPLAINED = 50  # failures in one message, which Prefect's server keeps with the state
_RUNS_NO_MORE = ("rebooted", "disk_full")  # causes of a loss that say so
_UNREACHABLE = "unreachable"
WARNING = "warning"  # the state of what succeeded, and of which a person has to know something
RUN_WARNING = "Warning"  # the name of the state of a run with such results; by its type it is Completed
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How one step ended on one host: the job's state, or one word for why there is none; `reason` is for people."""

    host: str
    step: str
    state: str
    succeeded: bool = False
    record: Record | None = None
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether its host reports that it no longer runs, however it ended. Clean up only then.

        False if the job continues, if part of it survived, if the host is unreachable, and where its end is unknown.
        """
        record = self.record
        if record is None or not record.finished or record.survivors:
            return False
        return record.state is not State.LOST or record.cause in _RUNS_NO_MORE


OnFailed = Callable[[Sequence[JobResult]], None]  # gets results that failed while others go on


def result_of(step: str, host: str, started: PrefectFuture[Handle], polled: PrefectFuture[Record]) -> JobResult:
    """Wait for both task runs of one job; what they raised is in the result, not raised."""
    # A poll whose start failed never begins, and has nothing to say.
    first = outcome_of(started)
    return result_from(step, host, outcome_of(polled) if isinstance(first, Handle) else first)


def result_from(step: str, host: str, outcome: object) -> JobResult:
    """How a job ended of which `outcome` is the record or, where it did not succeed, the error."""
    if isinstance(outcome, Record):
        return JobResult(host=host, step=step, state=outcome.state, succeeded=True, record=outcome)
    record = outcome.record if isinstance(outcome, JobFailed | RetriesExhausted) else None
    return JobResult(host=host, step=step, state=_word(outcome), record=record, reason=_reason(outcome, step, host))


def left_running(step: str, host: str, outcome: object, access: Access) -> JobResult:
    """That a job is started is all that was wanted; `outcome` is its handle, or why it was not."""
    if isinstance(outcome, Handle):
        left = f"left running; check it with: {command_line('status', outcome, access)}"
        return JobResult(host=host, step=step, state=State.RUNNING, succeeded=True, reason=left)
    return JobResult(host=host, step=step, state=_word(outcome), reason=_reason(outcome, step, host))


def result_as_found(record: Record, access: Access) -> JobResult:
    """The end of a job that was found on its host; one that still runs is none to be blamed for."""
    step = record.label or record.jid
    if not record.finished:
        return JobResult(
            host=record.host, step=step, state=record.state, succeeded=True, record=record, reason="still runs"
        )
    if record.state is State.SUCCEEDED:
        return JobResult(host=record.host, step=step, state=record.state, succeeded=True, record=record)
    error = JobFailed(record, command_line("log", record.handle, access))
    return JobResult(
        host=record.host, step=step, state=record.state, record=record, reason=_reason(error, step, record.host)
    )


def not_asked(host: str, error: RemoteJobsError) -> JobResult:
    """What came of a host whose jobs are not known."""
    return JobResult(host=host, step="check", state=_word(error), reason=_reason(error, "check", host))


def values_of(step: str, runs: Mapping[str, PrefectFuture[T]]) -> tuple[dict[str, T], list[JobResult]]:
    """Wait for one task run a host, which needs no polling: the values by host, and how each ended."""
    values: dict[str, T] = {}
    results: list[JobResult] = []
    for host, run in runs.items():
        run.wait()
        value = run.result(raise_on_failure=False)
        if isinstance(value, BaseException):
            results.append(JobResult(host=host, step=step, state=_word(value), reason=_reason(value, step, host)))
        else:
            values[host] = value
            results.append(JobResult(host=host, step=step, state=State.SUCCEEDED, succeeded=True))
    return values, results


def raise_for(results: Iterable[JobResult]) -> None:
    """Raise `HostsFailed`, naming those that failed, unless all succeeded."""
    if said := failures_of(list(results)):
        raise HostsFailed(said)


def failures_of(results: Sequence[JobResult]) -> str:
    """`2 of 60 failed` and a line for each of them; "" when all succeeded. Of many, the last are only named.

    Hosts that could not be asked are counted apart, and come last: `3 of 60 did not succeed: 1 failed, 2 unreachable`.
    So are warnings, which follow them.
    """
    failed = sorted((result for result in results if not result.succeeded), key=is_unreachable_result)
    if not failed:
        return ""
    return "\n".join(filter(None, [_counted(failed, len(results)), *_explained(failed), warnings_of(results)]))


def is_unreachable_result(result: JobResult) -> bool:
    """Whether its host could not be asked: that is no failure of the command."""
    return result.state == _UNREACHABLE


def warnings_of(results: Sequence[JobResult]) -> str:
    """`1 of 60 with a warning` and a line for each; "" without any."""
    warned = [result for result in results if result.succeeded and result.state == WARNING]
    return "\n".join([f"{len(warned)} of {len(results)} with a warning", *_explained(warned)]) if warned else ""


def _explained(results: Sequence[JobResult]) -> list[str]:
    lines = [
        _set_in(f"{result.step} on {result.host}: {result.reason or result.state}") for result in results[:_EXPLAINED]
    ]
    others = ", ".join(f"{result.step} on {result.host}" for result in results[_EXPLAINED:])
    return [*lines, *([f"and {others}"] if others else [])]


def _counted(failed: Sequence[JobResult], of: int) -> str:
    unreachable = sum(map(is_unreachable_result, failed))
    if unreachable in (0, len(failed)):
        return f"{len(failed)} of {of} {_UNREACHABLE if unreachable else 'failed'}"
    return f"{len(failed)} of {of} did not succeed: {len(failed) - unreachable} failed, {unreachable} {_UNREACHABLE}"


def outcome_of(future: PrefectFuture[Any]) -> object:
    """Wait for a task run: what it returned, or raised."""
    future.wait()
    outcome: object = future.result(raise_on_failure=False)
    return outcome


def _word(error: object) -> str:
    match error:
        case Unreachable():
            return _UNREACHABLE
        case JobFailed(record=record) | RetriesExhausted(record=Record() as record):
            return record.state
        case RetriesExhausted():
            return _UNREACHABLE
        case ProtocolError():
            return "unknown"
        case HostError():
            return "refused"
        case _:
            return "error"


def _set_in(text: str) -> str:
    """All lines but the first set in, so that a job's output is not taken for the next job's verdict."""
    first, *output = text.split("\n")
    return "\n".join([first, *(f"    {line}" for line in output)])


def _reason(error: object, step: str, host: str) -> str:
    """The error's words without the step and the host, which stand beside them."""
    text = visible(str(error) if isinstance(error, RemoteJobsError) else repr(error))
    text = text.removeprefix(f"{step} on ").removeprefix(f"{host}: ")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def or_warning(results: list[Any], ends: Sequence[JobResult]) -> list[Any]:
    """`results`; with warnings among `ends` the state `Warning` that holds them, for a flow to return.

    Prefect takes the state, and the caller of the flow gets the results.
    """
    if not (said := warnings_of(ends)):
        return results
    return cast("list[Any]", Completed(name=RUN_WARNING, message=said, data=results))
