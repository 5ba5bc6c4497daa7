"""Waiting for the jobs of many hosts at once: each host waits over there, and few threads take what comes back."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from remotejobs.agent.request import Read
from remotejobs.connections.base import Stay
from remotejobs.connections.threads import start_threads
from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.jobs.client import LONGEST_WAIT, HostJobs, PendingStatus
from remotejobs.jobs.turns import Turns
from remotejobs.jobs.wait import FIRST_PAUSE, GLIMPSE_BYTES, LONGEST_PAUSE
from remotejobs.model import Record

SHORTEST_WAIT = 5.0  # seconds
THREADS = 32  # for all hosts whose answers come by themselves: what they do takes a round trip at most

JobKey = tuple[str, str]  # host and jid


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What changed for one job: its end, its host unreachable or reachable again, or why it cannot be known.

    `record` is of the end (with the last 64 KiB of output), of a job that runs on a host that is reachable again
    (`returned`), or a glimpse of a running one. `error` is a transient `Unreachable` for a host that is asked again;
    any other is the last event of the job.
    """

    host: str
    jid: str
    record: Record | None = None
    error: RemoteJobsError | None = None
    returned: bool = False

    @property
    def is_last(self) -> bool:
        if self.record is not None:
            return self.record.finished
        return not (isinstance(self.error, Unreachable) and self.error.transient)


@dataclass(eq=False, slots=True)
class _Host:
    """A host and its jobs that have not ended. It is `apart` while it has a thread of its own."""

    name: str
    jids: list[str]
    stay: Stay = field(default_factory=Stay)
    jobs: HostJobs | None = None
    pending: PendingStatus | None = None
    apart: bool = False
    wait_apart: float = 0.0  # seconds of its next wait in a thread of its own; none, if only its connection has to open

    def close(self) -> None:
        if self.pending:
            self.pending.close()
        self.pending = None
        self.stay.close()

    @property
    def reads(self) -> list[Read]:
        return [Read(jid, max_bytes=GLIMPSE_BYTES) for jid in self.jids]


class JobWatch:
    """Waits for jobs to end until each has ended or `stop` is called; hosts may be unreachable for any time.

    `jobs` maps each host to its jids, `on` gives access to a host and may raise `RemoteJobsError`. However many
    jobs a host has, it is asked in one exchange, which takes one of the sessions of its connection. With `glimpses`
    running jobs are reported too, every so many seconds; without them a host is asked once a minute. A host has
    a thread of its own as long as it is unreachable, and where its connection keeps no shells.
    """

    def __init__(
        self, jobs: Mapping[str, Sequence[str]], on: Callable[[str], HostJobs], *, glimpses: float | None = None
    ) -> None:
        self.pending: set[JobKey] = {(host, jid) for host, jids in jobs.items() for jid in jids}
        self.latest: dict[JobKey, Record] = {}  # of running jobs, as last seen
        self.unreachable: dict[JobKey, Unreachable] = {}
        self._on = on
        self._glimpses = glimpses
        self._wait = LONGEST_WAIT if glimpses is None else min(max(SHORTEST_WAIT, glimpses), LONGEST_WAIT)
        self._news: queue.SimpleQueue[JobEvent | BaseException] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._turns: Turns[_Host] = Turns(self._serve, threads=THREADS, name="watch")
        self._left = {_Host(host, list(jids)) for host, jids in jobs.items()}
        self._leaving = threading.Lock()
        for each in tuple(self._left):
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

    def stop(self) -> None:
        """Wait for nothing more; a wait that is under way on a host ends by itself within a minute."""
        self._stopped.set()
        with self._leaving:
            left = tuple(self._left)
        for host in left:
            self._turns.put(host)

    def _take(self, item: JobEvent) -> None:
        key = (item.host, item.jid)
        self.unreachable.pop(key, None)
        if item.is_last:
            self.pending.discard(key)
            self.latest.pop(key, None)
        elif isinstance(item.error, Unreachable):
            self.unreachable[key] = item.error

    def _serve(self, host: _Host) -> None:
        """Take what came of a host, and ask it again. Trouble is dealt with in a thread of its own."""
        if not host.apart and not self._guarded(host, self._take_and_ask):
            host.apart = True
            start_threads([(self._serve_apart, (host,))], name="watch apart")

    def _serve_apart(self, host: _Host) -> None:
        self._guarded(host, self._wait_apart)

    def _leave(self, host: _Host) -> bool:
        """Nothing is wanted of it any more."""
        host.close()
        with self._leaving:
            self._left.discard(host)
            if not self._left:
                self._turns.close()
        return True

    def _guarded(self, host: _Host, wait: Callable[[_Host], bool]) -> bool:
        """A fault of this program must reach the caller, and not be taken for a job that never ends."""
        try:
            return wait(host)
        except RemoteJobsError as exc:
            self._report(JobEvent(host.name, jid, error=exc) for jid in host.jids)
        except BaseException as exc:  # noqa: BLE001
            self._news.put(exc)
        return self._leave(host)

    def _take_and_ask(self, host: _Host) -> bool:
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
                records, host.pending = host.pending.records(), None
                if records is None:
                    return False
                self._see(host, [JobEvent(host.name, each.jid, record=host.jobs.whole(each)) for each in records])
                wait = self._wait
            else:
                wait = self._first_wait()
            if not host.jids:
                return self._leave(host)
            on_answer = partial(self._turns.put, host)
            host.pending = host.jobs.status_soon(host.reads, wait=wait, stay=host.stay, on_answer=on_answer)
        except RemoteJobsError:  # it is asked again, and then the error counts
            host.close()
            return False
        if host.pending:
            self._turns.put(host, host.pending.deadline)
        return host.pending is not None

    def _wait_apart(self, host: _Host) -> bool:
        """Poll until all of its jobs are over, taking each away that is, or until it needs no thread of its own."""
        assert host.jobs is not None
        wait, pause, unreachable = host.wait_apart, FIRST_PAUSE, False
        if not host.jobs.keeps_shells:
            wait = self._first_wait()
        while host.jids and not self._stopped.is_set():
            try:
                seen = _poll(host, host.jobs, host.reads, wait)
            except Unreachable as exc:
                if not exc.transient:
                    raise
                if not unreachable:
                    self._report(JobEvent(host.name, jid, error=exc) for jid in host.jids)
                self._stopped.wait(pause)
                # Callers that wait for it learn at once that it is back.
                wait, pause, unreachable = 0.0, min(2 * pause, LONGEST_PAUSE), True
                continue
            self._see(host, seen, returned=unreachable)
            host.wait_apart = wait = self._first_wait() if unreachable else self._wait
            pause, unreachable = FIRST_PAUSE, False
            if host.jids and host.jobs.keeps_shells:
                host.apart = False
                self._turns.put(host)
                return True
        return self._leave(host)

    def _see(self, host: _Host, seen: Sequence[JobEvent], *, returned: bool = False) -> None:
        self.latest.update({(host.name, each.jid): each.record for each in seen if each.record and not each.is_last})
        wanted = self._glimpses is not None or returned
        self._report(replace(each, returned=returned) for each in seen if each.is_last or wanted)
        host.jids[:] = [each.jid for each in seen if not each.is_last]

    def _report(self, items: Iterable[JobEvent]) -> None:
        for item in items:
            self._news.put(item)

    def _first_wait(self) -> float:
        """Uneven, so that thousands of hosts are not asked in the same second again and again: an end is known at once
        all the same, and threads that all want to run hinder each other."""
        return random.uniform(SHORTEST_WAIT, self._wait)  # noqa: S311 - to spread a crowd, not to keep a secret


def _poll(host: _Host, jobs: HostJobs, reads: Sequence[Read], wait: float) -> list[JobEvent]:
    """Wait over there until one of the jobs ends. One that cannot be read hides no other."""
    try:
        records = jobs.status(reads, wait=wait, stay=host.stay)
    except Unreachable:
        raise
    except RemoteJobsError as exc:
        if len(reads) == 1:
            return [JobEvent(host.name, reads[0].jid, error=exc)]
        return [news for read in reads for news in _poll(host, jobs, [read], 0)]
    return [JobEvent(host.name, record.jid, record=jobs.whole(record)) for record in records]
