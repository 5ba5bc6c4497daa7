"""Waiting for the jobs of many hosts at once: a thread for each host, which waits over there, and one queue of news."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from remotejobs.agent.request import Read
from remotejobs.connections.base import Stay
from remotejobs.connections.threads import start_threads
from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.jobs.client import LONGEST_WAIT, HostJobs
from remotejobs.jobs.wait import FIRST_PAUSE, GLIMPSE_BYTES, LONGEST_PAUSE
from remotejobs.model import Record

SHORTEST_WAIT = 5.0  # seconds

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


class JobWatch:
    """Waits for jobs to end until each has ended or `stop` is called; hosts may be unreachable for any time.

    `jobs` maps each host to its jids, `on` gives access to a host and may raise `RemoteJobsError`. However many
    jobs a host has, it is asked in one exchange, which takes one of the sessions of its connection. With `glimpses`
    running jobs are reported too, every so many seconds; without them a host is asked once a minute.
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
        start_threads([(self._guard, (host, list(jids))) for host, jids in jobs.items()], name="watch")

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

    def _take(self, item: JobEvent) -> None:
        key = (item.host, item.jid)
        self.unreachable.pop(key, None)
        if item.is_last:
            self.pending.discard(key)
            self.latest.pop(key, None)
        elif isinstance(item.error, Unreachable):
            self.unreachable[key] = item.error

    def _guard(self, host: str, jids: list[str]) -> None:
        """A fault of this program must reach the caller, and not be taken for a job that never ends."""
        try:
            self._wait_for(host, jids)
        except RemoteJobsError as exc:
            self._report(JobEvent(host, jid, error=exc) for jid in jids)
        except BaseException as exc:  # noqa: BLE001
            self._news.put(exc)

    def _wait_for(self, host: str, jids: list[str]) -> None:
        """Poll until all of `jids` are over, taking each away that is."""
        with Stay() as stay:
            self._wait_in(stay, host, jids)

    def _wait_in(self, stay: Stay, host: str, jids: list[str]) -> None:
        jobs, wait, pause, unreachable = self._on(host), self._first_wait(), FIRST_PAUSE, False
        while jids and not self._stopped.is_set():
            try:
                seen = _poll(host, jobs, jids, wait, stay)
            except Unreachable as exc:
                if not exc.transient:
                    raise
                if not unreachable:
                    self._report(JobEvent(host, jid, error=exc) for jid in jids)
                self._stopped.wait(pause)
                # Callers that wait for it learn at once that it is back.
                wait, pause, unreachable = 0.0, min(2 * pause, LONGEST_PAUSE), True
                continue
            self.latest.update({(host, news.jid): news.record for news in seen if news.record and not news.is_last})
            wanted = self._glimpses is not None or unreachable
            self._report(replace(news, returned=unreachable) for news in seen if news.is_last or wanted)
            jids[:] = [news.jid for news in seen if not news.is_last]
            wait, pause, unreachable = self._first_wait() if unreachable else self._wait, FIRST_PAUSE, False

    def _report(self, items: Iterable[JobEvent]) -> None:
        for item in items:
            self._news.put(item)

    def _first_wait(self) -> float:
        """Uneven, so that thousands of hosts are not asked in the same second again and again: an end is known at once
        all the same, and threads that all want to run hinder each other."""
        return random.uniform(SHORTEST_WAIT, self._wait)  # noqa: S311 - to spread a crowd, not to keep a secret


def _poll(host: str, jobs: HostJobs, jids: Sequence[str], wait: float, stay: Stay) -> list[JobEvent]:
    """Wait over there until one of the jobs ends. One that cannot be read hides no other."""
    try:
        records = jobs.status([Read(jid, max_bytes=GLIMPSE_BYTES) for jid in jids], wait=wait, stay=stay)
    except Unreachable:
        raise
    except RemoteJobsError as exc:
        if len(jids) == 1:
            return [JobEvent(host, jids[0], error=exc)]
        return [news for jid in jids for news in _poll(host, jobs, [jid], 0, stay)]
    return [JobEvent(host, record.jid, record=jobs.whole(record)) for record in records]
