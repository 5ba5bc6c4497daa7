"""What a host is also asked from time to time: the lock of a migration, and the state of its backups."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from remotejobs.agent.shell import Shell
from remotejobs.errors import HostError
from remotejobs.inventory.variables import text
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.locks import Holder, HostLock
from remotejobs.model import Record
from remotejobs.operations.backup.catalogue import CatalogueEntry, backups_on
from remotejobs.operations.migration.holder import running_jobs
from remotejobs.operations.migration.host import LOCK

LOCKS_EVERY = 300.0  # seconds
BACKUPS_EVERY = 1800.0  # seconds: the list of a host's backups is long

_BAD = ("damaged", "incomplete", "mismatch", "untested")


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock of a migration, and the jobs of its run that still run there."""

    host: str
    holder: Holder
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    lock: HeldLock | None = None
    backups: tuple[CatalogueEntry, ...] = ()
    error: str = ""
    lock_at: float = float("-inf")
    backups_at: float = float("-inf")


class Upkeep:
    """Keeps the last answer of each host. `directory` is that of the backups on the hosts."""

    def __init__(self, fleet: Fleet, directory: str) -> None:
        self._fleet = fleet
        self._directory = directory
        self._found: dict[str, _Found] = {}
        self._lock = threading.Lock()

    def look_after(self, host: str, records: Sequence[Record]) -> bool:
        """Ask what is due, in the host's thread, where `records` are known; True if anything changed."""
        now, before = time.monotonic(), self._found.get(host, _Found())
        if now - before.lock_at < LOCKS_EVERY:
            return False
        after = self._asked(host, records, before, now)
        with self._lock:
            self._found[host] = after
        return (after.lock, after.backups, after.error) != (before.lock, before.backups, before.error)

    def _asked(self, host: str, records: Sequence[Record], before: _Found, now: float) -> _Found:
        due = now - before.backups_at >= BACKUPS_EVERY
        try:
            shell = Shell(self._fleet.connection(host), become=self._fleet.become(host))
            holder = HostLock(shell, LOCK, directory=text(self._fleet.hosts[host], "remotejobs_dir")).holder()
            lock = HeldLock(host, holder, running_jobs(records, holder)) if holder else None
            backups = _to_be_seen_to(backups_on(shell, self._directory)) if due else before.backups
            return _Found(lock, backups, "", now, now if due else before.backups_at)
        except HostError as exc:
            return _Found(before.lock, before.backups, exc.message, now, before.backups_at)

    @property
    def locks(self) -> list[HeldLock]:
        """The locks that are held."""
        return [found.lock for found in self._all() if found.lock]

    @property
    def backups(self) -> list[CatalogueEntry]:
        """Of each item the newest backup, where it is damaged or its test could not be made."""
        return [entry for found in self._all() for entry in found.backups]

    @property
    def errors(self) -> dict[str, str]:
        """Why hosts could not be asked for all this."""
        with self._lock:
            return {host: found.error for host, found in self._found.items() if found.error}

    def _all(self) -> list[_Found]:
        with self._lock:
            return list(self._found.values())


def _to_be_seen_to(entries: Iterable[CatalogueEntry]) -> tuple[CatalogueEntry, ...]:
    newest: dict[tuple[str, str], CatalogueEntry] = {}
    for entry in entries:
        key = (entry.of, entry.item)
        if key not in newest or entry.made > newest[key].made:
            newest[key] = entry
    return tuple(entry for entry in newest.values() if entry.state in _BAD)
