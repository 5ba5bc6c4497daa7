"""One group of jobs under watch, from attempt to attempt of the task run that polls it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from prefect import get_run_logger

from remotejobs.errors import HostError, RemoteJobsError, Unreachable
from remotejobs.jobs.fleet import each_of
from remotejobs.jobs.job_event import JobEvent
from remotejobs.jobs.watch import JobWatch
from remotejobs.model import Handle, Record, State
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_of, prepare
from remotejobs.prefect.tasks.jobs.attempt import Attempt
from remotejobs.prefect.tasks.jobs.bars import job_bars
from remotejobs.prefect.tasks.jobs.errors import GroupFailed, StillRunning
from remotejobs.prefect.tasks.jobs.host_group_progress import GroupProgress
from remotejobs.prefect.tasks.jobs.outcomes import (
    FailedWhen,
    given_up,
    lost_sight,
    progress_of,
    success_of,
)
from remotejobs.prefect.tasks.jobs.output import followed
from remotejobs.prefect.tasks.jobs.results import JobResult, OnFailed, failures_of, result_from
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.text import one_line

_NAMED = 10  # hosts in the message of an attempt
FOLLOWED = 50  # hosts of a group: up to here the log has the output of running jobs

JobKey = tuple[str, str]
RecordOrError = Record | RemoteJobsError


class GroupPoll:
    """What is known of the jobs of a group. It lives as long as its task run; the truth stays on the hosts."""

    def __init__(
        self,
        name: str,
        handles: Sequence[Handle],
        access: Access,
        until: Until,
        failed_when: FailedWhen | None,
        on_failed: OnFailed | None = None,
    ) -> None:
        self._name = name
        self._on_failed = on_failed
        self._failed: list[JobResult] = []  # of this attempt
        self._handles = {(handle.host, handle.jid): handle for handle in handles}
        self._access = access
        self._until = until
        self._failed_when = failed_when
        self._outcomes: dict[JobKey, RecordOrError] = {}
        self._progress = GroupProgress(name)
        self._by_host: dict[str, list[Handle]] = {}
        for handle in handles:
            self._by_host.setdefault(handle.host, []).append(handle)
        prepare(access)
        jids = {host: [handle.jid for handle in mine] for host, mine in self._by_host.items()}
        # Of few hosts the output is shown, as it is of one.
        self._follows = len(jids) <= FOLLOWED
        glimpses = until.delay if self._follows else None
        self._watch = JobWatch(jids, lambda host: jobs_of(access, self._by_host[host][0]), glimpses=glimpses)

    def poll(self, attempt: Attempt) -> tuple[RecordOrError, ...]:
        """Wait for news for one attempt. Raises `StillRunning`, and `GroupFailed` when all is over and not all is well.

        At the last attempt what still runs is left alone or killed, as `until` says.
        """
        for news in self._watch.news(self._until.last_wait if attempt.is_last else self._until.delay):
            self._take(news)
        if self._watch.pending and attempt.is_last:
            self._give_up(attempt)
        if self._on_failed and self._failed:
            self._on_failed(self._failed)
        self._failed = []
        done, of = len(self._outcomes), len(self._handles)
        if of:
            self._progress.show(self._results(), done=done, of=of)
        if done < of:
            raise StillRunning(self._summary(attempt))
        outcomes = tuple(self._outcomes[key] for key in self._handles)
        if said := failures_of(list(self._results())):
            raise GroupFailed(f"{self._name}: {said}", outcomes)
        return outcomes

    def _take(self, news: JobEvent) -> None:
        handle, logger = self._handles[news.host, news.jid], get_run_logger()
        if news.record and self._follows:
            self._show(handle, news.record)
        if news.record and not news.is_last:
            if news.returned:
                logger.info("reachable again: %s", progress_of(handle, news.record))
        elif news.record:
            self._settle(handle, news.record)
        elif news.error and news.is_last:
            self._keep(handle, news.error)
        elif news.error:
            trouble = "no contact" if isinstance(news.error, Unreachable) else "not understood"
            said = news.error.message
            logger.warning("%s on %s: %s, it is asked again: %s", handle.label, handle.host, trouble, said)

    def _show(self, handle: Handle, record: Record) -> None:
        """What is new of its output, and how far it is where it says so."""
        if fresh := followed().fresh(handle, record):
            get_run_logger().info("%s on %s, %s", handle.label, handle.host, fresh)
        job_bars().show(handle, record)

    def _settle(self, handle: Handle, record: Record) -> None:
        """Judge the record of an end."""
        try:
            self._keep(handle, success_of(handle, record, self._access, self._failed_when))
        except RemoteJobsError as exc:
            self._keep(handle, exc)

    def _keep(self, handle: Handle, outcome: RecordOrError) -> None:
        self._outcomes[handle.host, handle.jid] = outcome
        if isinstance(outcome, Record):
            get_run_logger().info("%s", progress_of(handle, outcome))
        else:
            get_run_logger().error("%s", outcome)
            self._failed.append(result_from(handle.label, handle.host, outcome))

    def _give_up(self, attempt: Attempt) -> None:
        self._watch.stop()
        left: dict[str, list[Handle]] = {}
        for key in sorted(self._watch.pending):
            left.setdefault(key[0], []).append(self._handles[key])
        for asked in each_of(left, lambda host: [self._last_poll(handle, attempt) for handle in left[host]]):
            for handle, outcome in zip(left[asked.host], asked.value or [], strict=True):
                self._settle(handle, outcome) if isinstance(outcome, Record) else self._keep(handle, outcome)

    def _last_poll(self, handle: Handle, attempt: Attempt) -> RecordOrError:
        """The record of a job that ended just now; otherwise the error that says what becomes of it."""
        error = self._watch.unheard.get((handle.host, handle.jid))
        if error:
            return lost_sight(handle, self._access, attempt, error)
        try:
            jobs = jobs_of(self._access, handle)
            record = jobs.record(handle.jid)
            if record.finished:
                return record
            return given_up(jobs, handle, self._access, attempt, record, self._until.on_exhausted)
        except HostError as exc:
            return lost_sight(handle, self._access, attempt, exc) if exc.transient else exc
        except RemoteJobsError as exc:
            return exc

    def _results(self) -> Iterator[JobResult]:
        """How each job is by now, in the order of the handles."""
        for key, handle in self._handles.items():
            outcome = self._outcomes.get(key) or self._watch.unheard.get(key)
            if outcome is not None:
                yield result_from(handle.label, handle.host, outcome)
            else:
                record = self._watch.latest.get(key)
                state = record.state if record else State.RUNNING
                yield JobResult(host=handle.host, step=handle.label, state=state, succeeded=True, record=record)

    def _summary(self, attempt: Attempt) -> str:
        """`work on web001 to web100 (100 hosts): 98 running, 1 succeeded, 1 failed, attempt 2 of 241; ...`"""
        results = list(self._results())
        counts = Counter(result.state for result in results)
        words = [", ".join(f"{number} {state}" for state, number in counts.items()), str(attempt)]
        named = [result.host for result in results if not result.succeeded]
        trouble = f"; not well: {', '.join(named[:_NAMED])}{' ...' if len(named) > _NAMED else ''}" if named else ""
        return one_line(f"{self._name}: {', '.join(words)}{trouble}")
