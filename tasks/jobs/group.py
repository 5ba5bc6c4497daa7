"""Waiting for some of a group of jobs: any, all, or so many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from prefect import get_run_logger, task

from remotejobs.errors import HostError, RemoteJobsError, UsageError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.job_event import JobEvent
from remotejobs.jobs.watch import JobWatch
from remotejobs.model import Handle, Record
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.connections import jobs_of
from remotejobs.prefect.tasks.jobs.attempt import Attempt, this_attempt
from remotejobs.prefect.tasks.jobs.errors import RetriesExhausted, StillRunning
from remotejobs.prefect.tasks.jobs.job import if_running, polling
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.text import number_of

JobKey = tuple[str, str]  # user and host, and jid


def await_jobs(handles: Sequence[Handle], access: Access, until: Until, count: int | None = None) -> tuple[Record, ...]:
    """Wait until `count` of the jobs have ended (None: all); the records of all that have by then, however they ended.

    The order is that of `handles`; `kill_job` ends the others, if they are not wanted any more. One task run polls
    after all of them, as `poll_group` does. An unreachable host is not counted as ended. Raises `RetriesExhausted`,
    `HostError` where too few are left that could make `count`, and `UsageError` for an impossible one.
    """
    wanted = len(handles) if count is None else count
    if not 1 <= wanted <= len(handles):
        raise UsageError(f"count is {wanted} of {len(handles)} jobs", remedy="Wait for at least one and at most all.")

    named = f"await {wanted} of {number_of(len(handles), 'job')}"
    awaited: list[_Awaited] = []

    @task(name="await-jobs", task_run_name=named, **polling(until, 0, if_running))
    def poll_all() -> tuple[Record, ...]:
        if not awaited:
            awaited.append(_Awaited(handles, access, until, wanted))
        return awaited[0].poll(this_attempt())

    return poll_all()


class _Awaited:
    """What is known of the jobs, from attempt to attempt of the task run that polls them."""

    def __init__(self, handles: Sequence[Handle], access: Access, until: Until, wanted: int) -> None:
        self._keys = [(f"{handle.become_user}@{handle.host}", handle.jid) for handle in handles]
        self._handles = dict(zip(self._keys, handles, strict=True))
        self._access = access
        self._until = until
        self._wanted = wanted
        self._records: dict[JobKey, Record] = {}
        self._errors: dict[JobKey, RemoteJobsError] = {}
        # Prefect's blocks, which may hold a password, are read here and not in the threads.
        there = {key[0]: jobs_of(access, handle) for key, handle in self._handles.items()}
        jids = {name: [jid for user_and_host, jid in self._handles if user_and_host == name] for name in there}
        self._watch = JobWatch(jids, there.__getitem__)

    def poll(self, attempt: Attempt) -> tuple[Record, ...]:
        """Wait for one attempt, or until enough have ended. Raises what `await_jobs` does, and `StillRunning`."""
        self._listen(self._until.last_wait if attempt.is_last else self._until.delay)
        if attempt.is_last and not self._is_decided:
            self._ask_the_rest()
        ended = [self._records[key] for key in self._keys if key in self._records]
        said = self._said(len(ended))
        if len(ended) >= self._wanted:
            self._watch.stop()
            get_run_logger().info("%s", said)
            return tuple(ended)
        if len(self._keys) - len(self._errors) < self._wanted:
            self._watch.stop()
            raise next(iter(self._errors.values()))
        if attempt.is_last:
            raise RetriesExhausted(f"{said}; {self._wanted} were awaited. {self._rest()}")
        raise StillRunning(f"{said}; {self._wanted} are awaited, {attempt}")

    @property
    def _is_decided(self) -> bool:
        ended = sum(key in self._records for key in self._keys)
        return ended >= self._wanted or len(self._keys) - len(self._errors) < self._wanted

    def _listen(self, within: float) -> None:
        """Until it is decided; then only what is known by then."""
        for news in self._watch.news(within):
            self._take(news)
            if self._is_decided:
                break
        for news in self._watch.news(0):
            self._take(news)

    def _take(self, news: JobEvent) -> None:
        if news.is_last and news.record:
            self._records[news.host, news.jid] = news.record
        elif news.is_last and news.error:
            self._errors[news.host, news.jid] = news.error

    def _ask_the_rest(self) -> None:
        """At the last attempt, which is shorter than the others."""
        self._watch.stop()
        for key, outcome in self._on_each(lambda jobs, handle: jobs.record(handle.jid)):
            if isinstance(outcome, Record) and outcome.finished:
                self._records[key] = outcome
            elif isinstance(outcome, HostError) and not outcome.transient:
                self._errors[key] = outcome

    def _rest(self) -> str:
        """What becomes of those that run on at the last attempt."""
        if self._until.on_exhausted == "leave":
            rest = [handle for key, handle in self._handles.items() if key not in self._records]
            commands = "; ".join(command_line("status", handle, self._access) for handle in rest)
            return f"The others were left running; check them with: {commands}"
        killed = self._on_each(lambda jobs, handle: jobs.kill(handle.jid))
        return "The others: " + "; ".join(
            f"{self._handles[key].host}: {came.msg if isinstance(came, Record) else came}" for key, came in killed
        )

    def _said(self, ended: int) -> str:
        unreachable = {**self._watch.unheard, **self._errors}
        hosts = ", ".join(self._handles[key].host for key in self._handles if key in unreachable)
        said = f"{ended} of {number_of(len(self._keys), 'job')} ended"
        return f"{said}, no answer from {hosts}" if hosts else said

    def _on_each(self, ask: Callable[[HostJobs, Handle], Record]) -> list[tuple[JobKey, Record | HostError]]:
        """What came of those that have not ended."""

        def one(jobs: HostJobs, handle: Handle) -> Record | HostError:
            try:
                return ask(jobs, handle)
            except HostError as exc:
                return exc

        rest = {key: handle for key, handle in self._handles.items() if key not in self._records}
        there = [jobs_of(self._access, handle) for handle in rest.values()]
        with ThreadPoolExecutor(max_workers=max(1, len(rest))) as pool:
            return list(zip(rest, pool.map(one, there, rest.values()), strict=True))
