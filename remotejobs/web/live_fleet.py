"""The hosts of a fleet, polled by few threads, over the one connection that its `Fleet` keeps to each.

A host on which something changes is polled every few seconds; the others less and less often, so that a thousand quiet
hosts cost next to nothing. Where a job runs, the pause is spent on the host: its end is known at once.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from remotejobs.connections.resource_limits import ensure_resource_limits
from remotejobs.connections.threads import start_threads
from remotejobs.errors import RemoteJobsError
from remotejobs.jobs.client import LONGEST_WAIT
from remotejobs.jobs.estimate import with_usual
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.snapshot import HostSnapshot, Snapshot
from remotejobs.jobs.turns import Turns
from remotejobs.model import Record, State
from remotejobs.text import last_line
from remotejobs.web.live_host import GLIMPSED, LiveHost, glimpses
from remotejobs.web.upkeep import Upkeep

QUESTIONS = 8.0  # a second, to all hosts together where nothing changes
_SWEEP_EVERY = 30.0  # seconds at least, from the start on, between two times that a new job makes all hosts be asked

Listener = Callable[[str], None]


class HostNotWatched(RemoteJobsError):
    """This is a fault of remotejobs: its error is printed where `remotejobs web` was started. Start it again."""


@dataclass(frozen=True, slots=True)
class HostSeen:
    """What is known of a host. `asked` is when it last answered, in seconds since 1970; None: never.

    `last_lines` are those that jobs wrote, by jid: those that run, and those that did not succeed. `unreachable_for` is
    seconds without an answer.
    """

    host: str
    records: tuple[Record, ...] = ()
    error: RemoteJobsError | None = None
    asked: float | None = None
    unreachable_for: float | None = None
    last_lines: Mapping[str, str] = field(default_factory=dict)


class LiveFleet:
    """Asks until `stop`. Of the jobs that ended, those of the last `since` seconds are kept; `jobs` names some of all.

    Listeners are called with the name of a host of which something changed, in the thread that asked it. Of the fleet's
    `forks` threads each asks one host at a time; one that did not answer holds up none of them again.
    """

    def __init__(self, fleet: Fleet, upkeep: Upkeep, *, jobs: str, since: float, poll: float) -> None:
        self.fleet = fleet
        self.upkeep = upkeep
        self._snapshot = Snapshot(list(fleet.hosts), jobs=jobs, since=since)
        self._poll = poll
        self._slowest = max(poll, len(fleet.hosts) / QUESTIONS)
        self._asked: dict[str, float] = {}
        self._lines: dict[str, dict[str, str]] = {}
        self._read: dict[str, set[str]] = {}  # by host: the jobs that ended, and whose last line was asked for
        self._swept = time.monotonic()
        self._hosts = {name: LiveHost(name, poll) for name in fleet.hosts}
        self._turns: Turns[LiveHost] = Turns(self._serve, threads=fleet.forks, name="host")
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()  # around all of these
        self._stopped = threading.Event()

    def start(self) -> None:
        """Raises `ResourceLimitExceeded` before anything is asked."""
        ensure_resource_limits(len(self.fleet.hosts))
        for host in self._hosts.values():
            self._turns.put(host)

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopped.set()
        self.ask_now()

    def ask_now(self) -> None:
        """Ask the hosts that are between two questions."""
        for host in tuple(self._hosts.values()):
            host.awake = True
            self._turns.put(host)

    def refresh(self, host: str) -> None:
        """Ask one host at once, here: something was done there."""
        self._take(self._ask(host))

    def listen(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = [*self._listeners, listener]

    def leave(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = [each for each in self._listeners if each != listener]

    def seen(self, host: str) -> HostSeen:
        """What is known of one host."""
        with self._lock:
            found = self._snapshot.of(host)
            return HostSeen(
                host,
                found.records if found else (),
                found.error if found else None,
                self._asked.get(host),
                self._snapshot.unreachable_for(host),
                dict(self._lines.get(host, {})),
            )

    @property
    def records(self) -> list[Record]:
        """All jobs as their hosts reported them."""
        with self._lock:
            return list(self._snapshot.reported)

    def _serve(self, host: LiveHost) -> None:
        if host.apart:
            return
        if host.alone:
            host.apart = True
            with contextlib.suppress(RuntimeError):  # there may be no more threads
                start_threads([(self._guard, (host,))], name="host apart")
                return
        self._guard(host)

    def _guard(self, host: LiveHost) -> None:
        """A fault of this program must be seen, and not be taken for a host on which nothing happens."""
        was_apart = host.apart
        try:
            at = None if self._stopped.is_set() else self._go_on(host)
        except BaseException:  # noqa: BLE001 - it ends the watching of this host, and not the thread
            self._take(HostSnapshot(host.name, error=HostNotWatched(f"{host.name} is watched no more")))
            traceback.print_exc()
            at = None
        host.apart = False
        if at is None or self._stopped.is_set():
            self._leave(host)
        else:
            self._turns.put(host, host.due(at, was_apart=was_apart))

    def _leave(self, host: LiveHost) -> None:
        host.close()
        with self._lock:
            self._hosts.pop(host.name, None)
            if not self._hosts:
                self._turns.close()

    def _go_on(self, host: LiveHost) -> float:
        """Ask it, if it is time, and then rest; when it is its turn again."""
        changed = False
        try:
            if host.pending and not host.pending.is_over():
                return host.pending.deadline
            if host.pending:
                records, host.pending = host.pending.records(), None
                changed = records is not None and self._hear(host, records)
        except RemoteJobsError:
            host.close()
            changed = True  # the next question reports the error
        if changed or host.awake or time.monotonic() >= host.until:
            self._ask_again(host)
        return self._rest(host)

    def _ask_again(self, host: LiveHost) -> None:
        host.awake = False
        seen = self._ask(host.name)
        host.alone = bool(seen.error)
        host.pause = self._poll if self._take(seen) else min(2 * host.pause, self._slowest)
        if not seen.error and (self._glimpse(seen) | self.upkeep.look_after(host.name, seen.records)):
            self._tell(host.name)
        host.going = {record.jid: record.state for record in seen.records if not record.finished}
        # Uneven, so that a thousand hosts do not come in the same second again and again.
        host.until = time.monotonic() + host.pause * random.uniform(0.8, 1.0)  # noqa: S311 - to spread a crowd

    def _ask(self, host: str) -> HostSnapshot:
        try:
            return HostSnapshot(host, with_usual(self.fleet.jobs(host).list()))
        except RemoteJobsError as exc:
            return HostSnapshot(host, error=exc)

    def _take(self, seen: HostSnapshot) -> bool:
        """Keep it; whether a job is new or changed its state, or the host came or went."""
        with self._lock:
            before = self._snapshot.of(seen.host)
            changed = bool(self._snapshot.take(seen)) or (before is not None and bool(before.error) != bool(seen.error))
            after = self._snapshot.of(seen.host)
            if not seen.error:
                self._asked[seen.host] = time.time()
            known = {record.jid for record in before.records} if before else set()
            new = {record.jid for record in seen.records if not record.finished} - known
            sweep = bool(new) and before is not None and time.monotonic() - self._swept > _SWEEP_EVERY
            self._swept = time.monotonic() if sweep else self._swept
        if sweep:  # a job is mostly started on many hosts
            self.ask_now()
        if after is not None and (before is None or _shown(before) != _shown(after)):
            self._tell(seen.host)
        return changed

    def _rest(self, host: LiveHost) -> float:
        """Until it is time to ask again: on the host, where something runs, and that may end."""
        left = host.until - time.monotonic()
        if not host.going or left <= 0:
            return host.until
        reads, wait = glimpses(host.going), min(left, LONGEST_WAIT)
        try:
            jobs = self.fleet.jobs(host.name)
            if jobs.calls_back:
                on_answer = partial(self._turns.put, host)
                host.pending = jobs.status_soon(reads, wait=wait, stay=host.stay, on_answer=on_answer)
            if host.apart and not host.pending:
                host.awake |= self._hear(host, jobs.status(reads, wait=wait, stay=host.stay))
        except RemoteJobsError:
            host.close()
            host.awake = True  # the next question reports the error
        host.alone = not host.pending
        return host.pending.deadline if host.pending else time.monotonic()

    def _glimpse(self, seen: HostSnapshot) -> bool:
        """Ask once for the last line of what runs, and of what did not succeed; whether there is a new one."""
        there = {record.jid for record in seen.records}
        with self._lock:
            kept = {jid: line for jid, line in self._lines.get(seen.host, {}).items() if jid in there}
            self._lines[seen.host] = kept
            read = self._read[seen.host] = self._read.get(seen.host, set()) & there
        bad = [record for record in seen.records if is_bad(record) and record.start and record.jid not in read]
        running = [record for record in seen.records if record.state is State.RUNNING and record.jid not in kept]
        newest = [*running, *sorted(bad, key=lambda record: record.end, reverse=True)][:GLIMPSED]
        if not newest:
            return False
        try:
            records = self.fleet.jobs(seen.host).status(glimpses(record.jid for record in newest))
        except RemoteJobsError:
            return False
        read.update(record.jid for record in newest if is_bad(record))
        return self._keep_lines(seen.host, records)

    def _keep_lines(self, host: str, records: Sequence[Record]) -> bool:
        with self._lock:
            before = self._lines.get(host, {})
            after = before | {record.jid: _last_line(record) for record in records}
            self._lines[host] = after
        return before != after

    def _hear(self, host: LiveHost, records: Sequence[Record]) -> bool:
        """Whether one of the jobs that were waited for has ended or begun."""
        if self._keep_lines(host.name, records):
            self._tell(host.name)
        return any(record.state != host.going.get(record.jid) for record in records)

    def _tell(self, host: str) -> None:
        for listener in self._listeners:
            listener(host)


def is_bad(record: Record) -> bool:
    """Whether the job has ended and did not succeed."""
    return record.finished and record.state is not State.SUCCEEDED


def _last_line(record: Record) -> str:
    """The line that shows how it goes: of standard output while it runs, of standard error where it failed."""
    err, out = last_line(record.stderr), last_line(record.stdout)
    return err or out if is_bad(record) else out or err


def _shown(seen: HostSnapshot) -> tuple[object, ...]:
    """What a reader would see change: not the age of a running job, which the page counts itself."""
    records = [record if record.finished else replace(record, delta=None) for record in seen.records]
    return (seen.error and seen.error.message, *records)
