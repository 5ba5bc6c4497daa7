"""The product as Python: what the command line can do, in as many words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from remotejobs.agent.request import Read
from remotejobs.connections.base import Connection
from remotejobs.connections.connect import open_connection
from remotejobs.errors import UsageError
from remotejobs.inventory import Host, Reading, inventory_paths, load_inventory
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import DEFAULT_FORKS, BecomeChoice, Fleet, HostResult
from remotejobs.jobs.naming import label_of, new_jid
from remotejobs.jobs.wait import DEFAULT_CONTACT_TIMEOUT, DEFAULT_POLL
from remotejobs.model import TAIL_BYTES, Job, Launcher, Record, check_jid
from remotejobs.renamed import renamed_arguments, warn_renamed

T = TypeVar("T")
NO_ENV: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class StartResult:
    """A job that was started on the hosts of a pattern, and the outcome on each host, in the inventory's order."""

    jid: str
    results: tuple[HostResult[Record], ...]

    @property
    def outcomes(self) -> tuple[HostResult[Record], ...]:
        """The old name of `results`."""
        warn_renamed("StartResult.outcomes", "results")
        return self.results


class RemoteJobs:
    """The hosts of inventories, over connections that stay open. Use it as a context manager, or call `close`.

    `pattern` is always Ansible's: `all`, `db*`, `web:!web3`. Each host gives one `HostResult`, a value or the error
    that says why there is none, in the inventory's order; only `wait` yields them as they come. An error in the request
    itself is raised: `InventoryError`, `PatternError`, `InvalidJob`, `UsageError`.
    """

    def __init__(
        self,
        *inventories: str | Path,
        reading: Reading | None = None,
        forks: int = DEFAULT_FORKS,
        become: bool | None = None,
        become_user: str | None = None,
        become_password: str | None = None,
        connect: Callable[[HostLike], Connection] = open_connection,
    ) -> None:
        """`inventories` are files, directories or lists ("web1,web2"); without any, as for the command line.

        `reading` has the passwords of vaults and a playbook's directory; without it they come from the environment.
        """
        self._inventory = load_inventory(*inventory_paths(map(str, inventories)), reading=reading)
        wanted = True if become is None and become_user else become
        self._fleet = Fleet(
            [*self._inventory.hosts.values(), *self._inventory.select("localhost")],
            forks=forks,
            become=BecomeChoice(become=wanted, user=become_user, password=become_password),
            connect=connect,
        )

    def hosts(self, pattern: str = "all") -> tuple[Host, ...]:
        """The hosts that `pattern` names. No host is asked."""
        return self._inventory.select(pattern)

    @renamed_arguments(limit="timeout", stall="idle_timeout", queue_limit="queue_timeout")
    def start(
        self,
        pattern: str,
        command: str,
        *,
        jid: str = "",
        label: str = "",
        timeout: int | None = None,
        idle_timeout: int | None = None,
        grace: int = 10,
        chdir: str = "",
        env: Mapping[str, str] = NO_ENV,
        interpreter: str = "sh",
        locks: Sequence[str] = (),
        slots: int | None = None,
        pool: str = "",
        queue_timeout: int | None = None,
        launcher: Launcher = "auto",
    ) -> StartResult:
        """Start a shell command on every host, detached. With a `jid` that exists already, attach to its job.

        The parameters mean what they mean in `Job`. A start that failed is an error among the outcomes.
        """
        job = Job(
            jid=jid or new_jid(),
            cmd=command,
            label=label or label_of(command),
            timeout=timeout,
            idle_timeout=idle_timeout,
            grace=grace,
            chdir=chdir,
            env=env,
            interpreter=interpreter,
            locks=tuple(locks),
            slots=slots,
            pool=pool,
            queue_timeout=queue_timeout,
            launcher=launcher,
        )
        return StartResult(job.jid, self._gather(pattern, lambda jobs: jobs.start(job), waits=False))

    @renamed_arguments(patience="contact_timeout", on_look="on_poll")
    def wait(
        self,
        pattern: str,
        jid: str,
        *,
        count: int | None = None,
        poll: float = DEFAULT_POLL,
        contact_timeout: float = DEFAULT_CONTACT_TIMEOUT,
        on_poll: Callable[[Record], None] | None = None,
    ) -> Iterator[HostResult[Record]]:
        """How the job ended, host by host as it ends; with `count`, only until it has ended on so many hosts.

        An error is yielded and does not count: no such job, or a host that is unreachable at the first check, or later
        for `contact_timeout` seconds. `on_poll` gets a record of the running job every `poll` seconds (at least one),
        while the next end is waited for.
        """
        if poll < 1:
            raise UsageError(f"poll is {poll:g} s", remedy="It must be at least 1 s.")
        names = self._names(pattern)
        if count is not None and not 1 <= count <= len(names):
            raise UsageError(
                f"count is {count}", remedy=f"The pattern names {len(names)} hosts: wait for 1 to {len(names)}."
            )
        return self._ends(names, check_jid(jid), count, poll, contact_timeout, on_poll)

    def status(self, pattern: str, jid: str) -> tuple[HostResult[Record], ...]:
        """The state of the job on every host, with the last 64 KiB of its output."""
        return self.log(pattern, jid, max_bytes=TAIL_BYTES)

    def log(self, pattern: str, jid: str, *, max_bytes: int = 1024 * 1024) -> tuple[HostResult[Record], ...]:
        """The same with the last `max_bytes` of both streams."""
        read = Read(check_jid(jid), max_bytes=max_bytes)
        return self._gather(pattern, lambda jobs: jobs.status([read])[0], waits=False)

    def kill(self, pattern: str, jid: str, *, grace: int | None = None) -> tuple[HostResult[Record], ...]:
        """End the job with all its processes, with proof; a job that has ended stays as it is."""
        check_jid(jid)
        return self._gather(pattern, lambda jobs: jobs.kill(jid, grace=grace))

    def list(self, pattern: str = "all") -> tuple[HostResult[tuple[Record, ...]], ...]:
        """The jobs on every host, without command and output."""
        return self._gather(pattern, lambda jobs: jobs.list(), waits=False)

    def clean(
        self, pattern: str, *, older_than: float, keep: int = 0, dry_run: bool = False
    ) -> tuple[HostResult[tuple[Record, ...]], ...]:
        """Remove what jobs left that ended over `older_than` seconds ago, except the `keep` newest of each host."""

        def clean(jobs: HostJobs) -> tuple[Record, ...]:
            return jobs.clean(older_than=older_than, keep=keep, dry_run=dry_run)

        return self._gather(pattern, clean, waits=False)

    def close(self) -> None:
        """Close the connections. Jobs run on."""
        self._fleet.close()

    def __enter__(self) -> RemoteJobs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _names(self, pattern: str) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts(pattern))

    def _gather(self, pattern: str, work: Callable[[HostJobs], T], *, waits: bool = True) -> tuple[HostResult[T], ...]:
        names = self._names(pattern)
        found = {result.host: result for result in self._fleet.each(work, names, waits=waits)}
        return tuple(found[name] for name in names)

    def _ends(
        self,
        names: tuple[str, ...],
        jid: str,
        count: int | None,
        poll: float,
        contact_timeout: float,
        on_poll: Callable[[Record], None] | None,
    ) -> Iterator[HostResult[Record]]:
        # One that `on_poll` gets is never sooner than `poll` seconds after the one before.
        every = poll if on_poll else None
        watch = self._fleet.watch(jid, names, glimpses=every, first_glimpse=every, contact_timeout=contact_timeout)
        ended = 0
        try:
            for event in watch.until_over():
                if event.is_last:
                    yield HostResult(event.host, value=event.record, error=event.error)
                    ended += event.record is not None
                    if ended == count:
                        return
                elif on_poll and event.record:
                    on_poll(event.record)
        finally:
            watch.stop()
