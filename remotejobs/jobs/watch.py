"""Waiting for the jobs of many hosts at once: each host waits over there, and few threads take what comes back."""

from __future__ import annotations

import math
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from remotejobs.connections.threads import start_threads
from remotejobs.errors import HostError, RemoteJobsError
from remotejobs.jobs.answers import PendingRecords
from remotejobs.jobs.client import LONGEST_WAIT, HostJobs
from remotejobs.jobs.job_event import JobEvent
from remotejobs.jobs.turns import Turns
from remotejobs.jobs.wait import FIRST_PAUSE, LONGEST_PAUSE, UNHEARD
from remotejobs.jobs.watched_host import WatchedHost
from remotejobs.model import Record, State

SHORTEST_WAIT = 5.0  # seconds
THREADS = 32  # for all hosts whose answers come by themselves: what they do takes some round trips at most
SLOW_AFTER = 0.2  # seconds for that; a host that takes longer, and may hang, holds up no other
NOTICE = 0.2  # seconds in which Ctrl-C is noticed
UNREAD = 1000  # news that nobody has read; more glimpses are left out, so that memory stays bounded

JobKey = tuple[str, str]  # host and jid
OnStart = Callable[[Record], None]
OnAnswer = Callable[[], None]
StartJob = Callable[[HostJobs, OnStart, OnAnswer], PendingRecords]  # by `HostJobs.start_soon`


class JobWatch:
    """Waits for jobs to end until each has ended or `stop` is called.

    `jobs` maps each host to its jids, `on` gives access to a host and may raise `RemoteJobsError`. However many
    jobs a host has, it is asked in one exchange, which takes one of the sessions of its connection. With `glimpses`
    running jobs are reported too, every so many seconds; with `first_glimpse` for the first time after so many, and
    after twice as long each then. Without them a host is asked once a minute. A host may be unreachable,
    or give answers that are not understood, for `contact_timeout` seconds. It has a thread of its own as long as it
    does, and where its connection does not call back.

    With `forks`, hosts need not be connected: each is asked first in one of so many threads, where an unreachable one
    is not asked again. With `start`, that is to start its job.
    """

    def __init__(
        self,
        jobs: Mapping[str, Sequence[str]],
        on: Callable[[str], HostJobs],
        *,
        glimpses: float | None = None,
        first_glimpse: float | None = None,
        contact_timeout: float = math.inf,
        forks: int | None = None,
        start: StartJob | None = None,
    ) -> None:
        self.pending: set[JobKey] = {(host, jid) for host, jids in jobs.items() for jid in jids}
        self.latest: dict[JobKey, Record] = {}  # of jobs that have not ended, as last seen
        self.unheard: dict[JobKey, HostError] = {}  # by why: their hosts do not answer, or not in a way understood
        self._on = on
        self._start = start
        self._glimpses = glimpses
        self._first_glimpse = first_glimpse
        self._contact_timeout = contact_timeout
        longest = LONGEST_WAIT if glimpses is None else min(glimpses, LONGEST_WAIT)
        self._wait = longest if first_glimpse is not None else max(SHORTEST_WAIT, longest)
        self._news: queue.SimpleQueue[JobEvent | BaseException] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._turns: Turns[WatchedHost] = Turns(self._serve, threads=THREADS, name="watch", slow_after=SLOW_AFTER)
        self._begins: Turns[WatchedHost] = Turns(self._begin, threads=forks or 1, name="watch begins")
        self._left = {WatchedHost(host, list(jids), apart=forks is not None) for host, jids in jobs.items()}
        self._unasked = len(self._left)
        self._leaving = threading.Lock()
        for each in tuple(self._left):
            if each.apart:
                self._begins.put(each)
            else:
                self._turns.put(each, time.monotonic())  # after all that has come of others

    def news(self, within: float) -> Iterator[JobEvent]:
        """What comes within so many seconds; over earlier when every job has ended. For one thread."""
        deadline = time.monotonic() + within
        while self.pending:
            try:
                item = self._news.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if isinstance(item, BaseException):
                raise item
            self._take(item)
            yield item

    def until_over(self) -> Iterator[JobEvent]:
        """All that comes until every job has ended. For one thread, which notices Ctrl-C within a moment."""
        while self.pending:
            yield from self.news(NOTICE)

    def report(self, items: Iterable[JobEvent]) -> None:
        """Add to the news."""
        for item in items:
            self._news.put(item)

    def stop(self) -> None:
        """Wait for nothing more; a wait that is under way on a host ends by itself within a minute."""
        self._stopped.set()
        with self._leaving:
            left = tuple(self._left)
        for host in left:
            self._turns.put(host)

    def _take(self, item: JobEvent) -> None:
        key = (item.host, item.jid)
        self.unheard.pop(key, None)
        if item.is_last:
            self.pending.discard(key)
            self.latest.pop(key, None)
        elif isinstance(item.error, HostError):
            self.unheard[key] = item.error

    def _begin(self, host: WatchedHost) -> None:
        self._guarded(host, self._connect)
        with self._leaving:
            self._unasked -= 1
            if not self._unasked:
                self._begins.close()

    def _connect(self, host: WatchedHost) -> bool:
        if self._stopped.is_set():
            return self._leave(host)
        host.jobs = self._on(host.name)
        return self._ask_first(host) if host.jobs.calls_back else self._go_apart(host, self._ask_first)

    def _ask_first(self, host: WatchedHost) -> bool:
        """What goes wrong before a job is seen is its last event."""
        assert host.jobs
        if self._start is None:
            self._see(host, host.poll(0.0))
        else:
            host.pending = self._start(host.jobs, partial(self._say_start, host), partial(self._turns.put, host))
            if not (host.jobs.calls_back and (host.name, host.jids[0]) in self.latest):
                self._see(host, host.take() or ())
        if not host.jobs.calls_back:
            return self._wait_apart(host)
        host.apart = False
        self._turns.put(host)
        return True

    def _say_start(self, host: WatchedHost, record: Record) -> None:
        self.latest[host.name, record.jid] = record
        self.report([JobEvent(host.name, record.jid, record=record, started=True)])

    def _serve(self, host: WatchedHost) -> None:
        """Take what came of a host, and ask it again. Trouble is dealt with in a thread of its own."""
        if not host.apart and not self._guarded(host, self._take_and_ask):
            self._guarded(host, partial(self._go_apart, wait=self._wait_apart))  # there may be no more threads

    def _go_apart(self, host: WatchedHost, wait: Callable[[WatchedHost], bool]) -> bool:
        host.apart = True
        start_threads([(self._guarded, (host, wait))], name="watch apart")
        return True

    def _leave(self, host: WatchedHost) -> bool:
        """Nothing is wanted of it any more."""
        host.close()
        with self._leaving:
            self._left.discard(host)
            if not self._left:
                self._turns.close()
                self._begins.close()
        return True

    def _guarded(self, host: WatchedHost, wait: Callable[[WatchedHost], bool]) -> bool:
        """A fault of this program must reach the caller, and not be taken for a job that never ends."""
        try:
            return wait(host)
        except RemoteJobsError as exc:
            self.report(JobEvent(host.name, jid, error=exc) for jid in host.jids)
        except BaseException as exc:  # noqa: BLE001
            self._news.put(exc)
        return self._leave(host)

    def _take_and_ask(self, host: WatchedHost) -> bool:
        """Whether the host needs no thread of its own: what it has to say will come by itself, or nothing is left."""
        if self._stopped.is_set():
            return self._leave(host)
        if host.jobs is None:
            host.jobs = self._on(host.name)
        try:
            if host.pending and not host.pending.is_over():
                self._turns.put(host, host.pending.deadline)
                return True
            if host.pending:
                if (seen := host.take()) is None:
                    return False
                self._see(host, seen)
            if not host.jids:
                return self._leave(host)
            wait, on_answer = self._next_wait(host), partial(self._turns.put, host)
            host.pending = host.jobs.status_soon(host.reads(), wait=wait, stay=host.stay, on_answer=on_answer)
        except RemoteJobsError:  # it is asked again, and then the error counts
            host.close()
            return False
        if host.pending:
            self._turns.put(host, host.pending.deadline)
        return host.pending is not None

    def _wait_apart(self, host: WatchedHost) -> bool:
        """Poll until all of its jobs are over, taking each away that is, or until it needs no thread of its own."""
        assert host.jobs is not None
        wait, pause, deadline = host.wait_apart, FIRST_PAUSE, math.inf
        unreachable = False
        if not host.jobs.calls_back:
            wait = self._next_wait(host)
        while host.jids and not self._stopped.is_set():
            try:
                seen = host.poll(wait)
            except UNHEARD as exc:
                now = time.monotonic()
                if not unreachable:
                    deadline = now + self._contact_timeout
                if not exc.transient or now >= deadline:
                    raise
                if not unreachable:
                    self.report(JobEvent(host.name, jid, error=exc, asked_again=True) for jid in host.jids)
                self._stopped.wait(min(pause, deadline - now))
                # Callers that wait for it learn at once that it is back.
                wait, pause, unreachable = 0.0, min(2 * pause, LONGEST_PAUSE), True
                continue
            self._see(host, seen, returned=unreachable)
            if unreachable:
                host.waited = 0.0
            host.wait_apart = wait = self._next_wait(host)
            pause, unreachable = FIRST_PAUSE, False
            if host.jids and host.jobs.calls_back:
                host.apart = False
                self._turns.put(host)
                return True
        return self._leave(host)

    def _see(self, host: WatchedHost, seen: Sequence[JobEvent], *, returned: bool = False) -> None:
        reported = returned or (self._glimpses is not None and self._news.qsize() < UNREAD)
        news = [each for each in seen if reported or each.is_last or self._has_turned(each)]
        self.latest.update({(host.name, each.jid): each.record for each in seen if each.record and not each.is_last})
        self.report(replace(each, returned=returned) for each in news)
        host.jids[:] = [each.jid for each in seen if not each.is_last]

    def _has_turned(self, seen: JobEvent) -> bool:
        """Whether it was queued when it was last seen, and is not any more."""
        before, now = self.latest.get((seen.host, seen.jid)), seen.record
        return bool(before and now and before.state is State.QUEUED and now.state is not State.QUEUED)

    def _next_wait(self, host: WatchedHost) -> float:
        """Seconds. The first is uneven, so that thousands of hosts are not asked in the same second again and again: an
        end is known at once all the same, and threads that all want to run hinder each other."""
        if self._first_glimpse is not None:
            host.waited = min(2 * host.waited or self._first_glimpse, self._wait)
        else:
            spread = random.uniform(SHORTEST_WAIT, self._wait)  # noqa: S311 - to spread a crowd, not to keep a secret
            host.waited = self._wait if host.waited else spread
        return host.waited
