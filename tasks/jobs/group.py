"""Waiting for some of a group of jobs: any, all, or so many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from prefect import get_run_logger, task

from remotejobs.agent.request import Read
from remotejobs.errors import HostError, UsageError
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Handle, Record
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.connections import jobs_of
from remotejobs.prefect.tasks.jobs.attempt import this_attempt
from remotejobs.prefect.tasks.jobs.errors import RetriesExhausted, StillRunning
from remotejobs.prefect.tasks.jobs.job import polling
from remotejobs.prefect.tasks.jobs.outcomes import is_unreachable
from remotejobs.prefect.tasks.jobs.output import LOG_BYTES
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.text import number_of

T = TypeVar("T")


def await_jobs(handles: Sequence[Handle], access: Access, until: Until, count: int | None = None) -> tuple[Record, ...]:
    """Wait until `count` of the jobs have ended (None: all); the records of all that have by then, however they ended.

    The order is that of `handles`; `kill_job` ends the others, if they are not wanted any more. One task run polls
    after all of them, as `poll_until` does after one. An unreachable host is not counted as ended. Raises
    `RetriesExhausted`, `HostError` where too few are left that could make `count`, and `UsageError` for an impossible
    one.
    """
    wanted = len(handles) if count is None else count
    if not 1 <= wanted <= len(handles):
        raise UsageError(f"count is {wanted} of {len(handles)} jobs", remedy="Wait for at least one and at most all.")

    named = f"await {wanted} of {number_of(len(handles), 'job')}"

    @task(name="await-jobs", task_run_name=named, **polling(until))
    def poll_all() -> tuple[Record, ...]:
        return _poll(handles, access, until, wanted)

    return poll_all()


@dataclass(frozen=True, slots=True)
class _JobState:
    handle: Handle
    record: Record | None = None
    error: HostError | None = None

    @property
    def ended(self) -> bool:
        return self.record is not None and self.record.finished


def _poll(handles: Sequence[Handle], access: Access, until: Until, wanted: int) -> tuple[Record, ...]:
    seen = _on_each(handles, access, lambda jobs, handle: _record(jobs, handle, until.wait))
    ended = [one.record for one in seen if one.record and one.ended]
    refused = [one.error for one in seen if one.error and not is_unreachable(one.error)]
    said = _said(seen)
    if len(ended) >= wanted:
        get_run_logger().info("%s", said)
        return tuple(ended)
    if len(seen) - len(refused) < wanted:
        raise refused[0]
    if this_attempt().is_last:
        raise RetriesExhausted(f"{said}; {wanted} were awaited. {_rest(seen, access, until)}")
    raise StillRunning(f"{said}; {wanted} are awaited, {this_attempt()}")


def _record(jobs: HostJobs, handle: Handle, wait: float) -> Record:
    return jobs.whole(jobs.status([Read(handle.jid, max_bytes=LOG_BYTES)], wait=wait)[0])


def _rest(seen: Sequence[_JobState], access: Access, until: Until) -> str:
    """What becomes of those that run on at the last attempt."""
    rest = [one.handle for one in seen if not one.ended]
    if until.on_exhausted == "leave":
        commands = "; ".join(command_line("status", handle, access) for handle in rest)
        return f"The others were left running; check them with: {commands}"
    killed = _on_each(rest, access, lambda jobs, handle: jobs.kill(handle.jid))
    return "The others: " + "; ".join(
        f"{one.handle.host}: {one.record.msg if one.record else one.error}" for one in killed
    )


def _said(seen: Sequence[_JobState]) -> str:
    unreachable = ", ".join(one.handle.host for one in seen if one.error)
    said = f"{sum(one.ended for one in seen)} of {number_of(len(seen), 'job')} ended"
    return f"{said}, no answer from {unreachable}" if unreachable else said


def _on_each(handles: Sequence[Handle], access: Access, ask: Callable[[HostJobs, Handle], Record]) -> list[_JobState]:
    def one(jobs: HostJobs, handle: Handle) -> _JobState:
        try:
            return _JobState(handle, record=ask(jobs, handle))
        except HostError as exc:
            return _JobState(handle, error=exc)

    # Prefect's blocks, which may hold a password, are read here and not in the threads.
    there = [jobs_of(access, handle) for handle in handles]
    with ThreadPoolExecutor(max_workers=max(1, len(handles))) as pool:
        return list(pool.map(one, there, handles))
