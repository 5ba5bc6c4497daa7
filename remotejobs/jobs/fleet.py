"""Many hosts at once: one kept connection each, and at most `forks` operations under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from remotejobs.connections.base import Become, Connection
from remotejobs.connections.become import become_for
from remotejobs.connections.connect import open_connection
from remotejobs.connections.resource_limits import ensure_resource_limits
from remotejobs.connections.threads import small_stacks
from remotejobs.errors import RemoteJobsError, UsageError
from remotejobs.inventory.variables import HostLike, text
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.wait import DEFAULT_CONTACT_TIMEOUT
from remotejobs.jobs.watch import JobWatch, StartJob

DEFAULT_FORKS = 50
WAITS = 5  # of the eight sessions that a connection has; the others are for what does not wait

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HostResult(Generic[T]):
    """The outcome on one host: a value or the error, never both."""

    host: str
    value: T | None = None
    error: RemoteJobsError | None = None


@dataclass(frozen=True, slots=True)
class BecomeChoice:
    """What the caller says of becoming another user; None leaves it to the inventory."""

    become: bool | None = None
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"BecomeChoice(become={self.become}, user={self.user!r})"


class Fleet:
    """The hosts of one selection. Use it as a context manager: it closes what it opened.

    `forks` bounds connecting and asking. Waiting on a host for a job to end costs neither side anything, so it
    is not counted.
    """

    def __init__(
        self,
        hosts: Iterable[HostLike],
        *,
        forks: int = DEFAULT_FORKS,
        become: BecomeChoice = BecomeChoice(),
        connect: Callable[[HostLike], Connection] = open_connection,
    ) -> None:
        if forks < 1:
            raise UsageError(f"forks is {forks}", remedy="It must be at least 1.")
        self.hosts = {host.name: host for host in hosts}
        self.forks = forks
        self._slots = threading.BoundedSemaphore(forks)
        self._become = become
        self._connect = connect
        self._opening = {name: threading.Lock() for name in self.hosts}
        self._connections: dict[str, Connection] = {}
        self._waits = {name: threading.Semaphore(WAITS) for name in self.hosts}

    def connection(self, name: str) -> Connection:
        """The one connection to a host; it opens on first use."""
        with self._opening[name]:  # OpenSSH may have to be asked how to reach it: other hosts do not wait for that
            connection = self._connections.get(name)
            if connection is None:
                connection = self._connections[name] = self._connect(self.hosts[name])
            return connection

    def jobs(self, name: str, *, become: BecomeChoice | None = None) -> HostJobs:
        """The jobs of one host, as the user that the inventory, the fleet or `become` says."""
        return HostJobs(
            self.connection(name),
            become=self.become(name, become),
            directory=text(self.hosts[name], "remotejobs_dir"),
            slots=self._slots,
            waits=self._waits[name],
        )

    def become(self, name: str, become: BecomeChoice | None = None) -> Become | None:
        """The user to work as on a host; None: the one who logs in."""
        choice = become or self._become
        return become_for(self.hosts[name], become=choice.become, user=choice.user, password=choice.password)

    def each(
        self, work: Callable[[HostJobs], T], names: Iterable[str] | None = None, *, waits: bool = True
    ) -> Iterator[HostResult[T]]:
        """`work` on every host (or on those of `names`) side by side; results as they come, as `each_of` yields them.

        Work that `waits` takes a thread for each host, any other `forks` threads. Raises `ResourceLimitExceeded` before
        anything is asked.
        """
        chosen = list(self.hosts if names is None else names)
        ensure_resource_limits(len(chosen))
        return each_of(chosen, lambda name: work(self.jobs(name)), workers=None if waits else self.forks)

    def watch(
        self,
        jid: str,
        names: Iterable[str] | None = None,
        *,
        start: StartJob | None = None,
        glimpses: float | None = None,
        first_glimpse: float | None = None,
        contact_timeout: float = DEFAULT_CONTACT_TIMEOUT,
    ) -> JobWatch:
        """Wait for the end of a job on every host (or on those of `names`), which `start` starts there or which is
        there already; the other arguments are those of `JobWatch`, which holds no thread for each.

        Raises `ResourceLimitExceeded` before anything is asked.
        """
        chosen = list(self.hosts if names is None else names)
        ensure_resource_limits(len(chosen))
        return JobWatch(
            {name: [jid] for name in chosen},
            self.jobs,
            glimpses=glimpses,
            first_glimpse=first_glimpse,
            contact_timeout=contact_timeout,
            forks=self.forks,
            start=start,
        )

    def close(self) -> None:
        """Close every connection; a later use opens it again."""
        for name, opening in self._opening.items():
            with opening:
                connection = self._connections.pop(name, None)
            if connection is not None:
                connection.close()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def each_of(names: Collection[str], work: Callable[[str], T], *, workers: int | None = None) -> Iterator[HostResult[T]]:
    """`work` for each host's name side by side, or for so many `workers` at a time; outcomes as they come.

    Only `RemoteJobsError` becomes an outcome. A caller that stops early leaves the rest to end unheard.
    """

    def one(name: str) -> HostResult[T]:
        try:
            return HostResult(name, value=work(name))
        except RemoteJobsError as exc:
            return HostResult(name, error=exc)

    # A thread for each host: most of them wait. `forks` bounds what is under way, not the threads.
    threads = min(workers or len(names), len(names))
    pool = ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="host")
    try:
        with small_stacks():
            running = [pool.submit(one, name) for name in names]
        for done in as_completed(running):
            yield done.result()
    finally:
        pool.shutdown(wait=False)
