"""Many hosts at work, reported in the main thread: it draws, and Ctrl-C reaches it at any time."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from remotejobs.display.events import Event, HostUnreachable, JobRunning, JobStarted
from remotejobs.display.row import message_of
from remotejobs.errors import HostError, RemoteJobsError, StartFailed
from remotejobs.jobs.answers import PendingRecords
from remotejobs.jobs.client import LONGEST_WAIT, HostJobs
from remotejobs.jobs.estimate import usual_seconds
from remotejobs.jobs.fleet import Fleet, HostResult
from remotejobs.jobs.job_event import JobEvent
from remotejobs.jobs.turns import Turns
from remotejobs.jobs.watch import JobWatch, OnAnswer, OnStart
from remotejobs.model import Job, Record

MOST_UNREAD = 64  # news; more of it makes the hosts' threads wait, so that memory stays bounded
NOTICE = 0.2  # seconds
ESTIMATES = 4  # hosts at a time that are asked how long a job usually takes

N = TypeVar("N")
Q = TypeVar("Q")
T = TypeVar("T")
Item = Event | HostResult[Record]


def side_by_side(
    fleet: Fleet, work: Callable[[HostJobs, Callable[[N], None]], T], *, waits: bool = True
) -> Generator[N | HostResult[T]]:
    """`work(jobs, report)` on every host: yields what it reports and, once for each host, what came of it.

    Work that `waits` takes a thread for each host, as `Fleet.each` says.
    """
    news: queue.Queue[N | HostResult[T] | None] = queue.Queue(MOST_UNREAD)

    def watch() -> None:
        try:
            for result in fleet.each(lambda jobs: work(jobs, news.put), waits=waits):
                news.put(result)
        finally:
            news.put(None)

    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fan-out")
    watching = pool.submit(watch)
    pool.shutdown(wait=False)
    while (item := _next(news)) is not None:
        yield item
    watching.result()


def _next(news: queue.Queue[Q]) -> Q:
    """Like `get`, but Ctrl-C just before it blocks is noticed within a moment, and not with the next news."""
    while True:
        with contextlib.suppress(queue.Empty):
            return news.get(timeout=NOTICE)


def started(
    fleet: Fleet, jid: str, job: Callable[[str], Job], poll: float, first_poll: float | None
) -> Generator[Item]:
    """Start the `job` of each host and, unless `poll` is 0, wait for its end, at first in the exchange of its start.

    Running jobs are reported after `first_poll` seconds, if any, and then less and less often, until that is `poll`.
    """
    first = LONGEST_WAIT if first_poll is None else min(first_poll, poll)

    def start(jobs: HostJobs, on_start: OnStart, on_answer: OnAnswer) -> PendingRecords:
        return jobs.start_soon(job(jobs.host), wait=first, on_start=on_start, on_answer=on_answer)

    def start_only(jobs: HostJobs, report: Callable[[Event], None]) -> Record:
        wanted = job(jobs.host)
        return replace(jobs.start(wanted, on_start=lambda record: report(JobStarted(record))), cmd=wanted.cmd)

    if not poll:
        items: Generator[Item] = side_by_side(fleet, start_only, waits=False)
    elif first_poll is None:
        items = _seen(fleet, fleet.watch(jid, start=start))
    else:
        watch = fleet.watch(jid, start=start, glimpses=poll, first_glimpse=2 * first_poll)
        items = _seen(fleet, watch, estimated=True)
    with contextlib.closing(items):
        for item in items:
            if isinstance(item, HostResult) and isinstance(item.error, StartFailed):
                yield HostResult(item.host, error=_with_jid(item.error, jid))
            else:
                yield item


def awaited(fleet: Fleet, jid: str, poll: float, first_poll: float | None) -> Generator[Item]:
    """Wait for a job that is there. A host that cannot be reached at all is reported at once."""
    if first_poll is None:
        return _seen(fleet, fleet.watch(jid))
    return _seen(fleet, fleet.watch(jid, glimpses=poll, first_glimpse=first_poll), estimated=True)


def _with_jid(refused: StartFailed, jid: str) -> StartFailed:
    """Its remedy is to start the same jid again, which may have been drawn just now."""
    remedy = refused.remedy.removesuffix(".")
    return StartFailed(refused.host, message_of(refused.host, refused), remedy=f"{remedy}: --jid {jid}")


def _seen(fleet: Fleet, watch: JobWatch, *, estimated: bool = False) -> Generator[Item]:
    estimates = _Estimates(fleet, watch)
    attached: set[str] = set()
    try:
        for event in watch.until_over():
            if event.started and event.record:
                attached |= {event.host} if event.record.attached else set()
                yield JobStarted(event.record)
            elif event.is_last and event.record:
                known = event.host in attached
                yield HostResult(event.host, value=replace(event.record, attached=True) if known else event.record)
            elif event.is_last:
                yield HostResult(event.host, error=event.error)
            elif event.record and (event.host, event.jid) in watch.pending:
                yield JobRunning(estimates.of(event.record) if estimated else event.record)
            elif isinstance(event.error, HostError):
                yield HostUnreachable(event.host, event.error)
    finally:
        watch.stop()
        estimates.close()


class _Estimates:
    """How long a job usually takes on each host. That is asked aside: a host that does not answer holds up nothing."""

    def __init__(self, fleet: Fleet, watch: JobWatch) -> None:
        self._fleet = fleet
        self._watch = watch
        self._latest: dict[str, Record] = {}
        self._usual: dict[str, float | None] = {}
        self._turns: Turns[str] = Turns(self._ask, threads=ESTIMATES, name="estimates")

    def of(self, record: Record) -> Record:
        """With what is known of it by now; more is reported once it is."""
        if record.host not in self._latest and record.label:
            self._turns.put(record.host)
        self._latest[record.host] = record
        return replace(record, usual=self._usual.get(record.host))

    def close(self) -> None:
        self._turns.close()

    def _ask(self, host: str) -> None:
        """Once: nothing depends on it."""
        try:
            usual = self._usual[host] = usual_seconds(self._fleet.jobs(host).list(), self._latest[host].label)
        except RemoteJobsError:
            return
        if usual is not None:
            self._watch.report([JobEvent(host, self._latest[host].jid, record=self._latest[host])])
