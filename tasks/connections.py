"""The connections of this process: one to each host, kept for all tasks and flows, closed when the process ends."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from remotejobs.agent.shell import Shell
from remotejobs.connections.base import Connection
from remotejobs.connections.connect import open_connection
from remotejobs.errors import UsageError
from remotejobs.inventory import Inventory
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import BecomeChoice, Fleet
from remotejobs.model import Handle
from remotejobs.prefect.tasks.access import Access

Connect = Callable[[HostLike], Connection]


class Connections:
    """Inventories, read once, and the fleets of their hosts, each bounded by its number of forks."""

    def __init__(self, connect: Connect = open_connection) -> None:
        self.connect = connect
        self._lock = threading.Lock()
        self._inventories: dict[Access, Inventory] = {}
        self._fleets: dict[tuple[Access, int, str], Fleet] = {}

    def inventory(self, access: Access) -> Inventory:
        """Raises `InventoryError` when it cannot be read."""
        with self._lock:
            return self._inventory(access)

    def fleet(self, access: Access) -> Fleet:
        with self._lock:
            key = (_read_from(access), access.forks, access.ssh_password_block)
            if key not in self._fleets:
                inventory = self._inventory(access)
                hosts = [*inventory.hosts.values(), *inventory.select("localhost")]
                self._fleets[key] = Fleet(access.reach(hosts), forks=access.forks, connect=self.connect)
            return self._fleets[key]

    def close(self) -> None:
        """Close every connection and forget the inventories."""
        with self._lock:
            for fleet in self._fleets.values():
                fleet.close()
            self._fleets.clear()
            self._inventories.clear()

    def _inventory(self, access: Access) -> Inventory:
        if (key := _read_from(access)) not in self._inventories:
            self._inventories[key] = access.load()
        return self._inventories[key]


def _read_from(access: Access) -> Access:
    """What of it says which inventories are read, and how."""
    return Access(
        inventory=access.inventory,
        vault_blocks=access.vault_blocks,
        playbook_dir=access.playbook_dir,
        ansible_config=access.ansible_config,
        run_lookups=access.run_lookups,
    )


_IN_PLACE: list[Connections] = []  # of those of the process; the last one counts


@cache
def _of_the_process() -> Connections:
    kept = Connections()
    atexit.register(kept.close)
    return kept


def connections() -> Connections:
    """The connections of this process."""
    return _IN_PLACE[-1] if _IN_PLACE else _of_the_process()


@contextmanager
def reached_by(connect: Connect) -> Iterator[Connections]:
    """Meanwhile all tasks of this process reach their hosts by `connect`, for example that of `remotejobs.testing`."""
    others = Connections(connect)
    _IN_PLACE.append(others)
    try:
        yield others
    finally:
        _IN_PLACE.remove(others)
        others.close()


def prepare(access: Access) -> None:
    """Read the inventory and Prefect's blocks now: threads that belong to no task run cannot.

    Raises `UsageError` and `InventoryError`.
    """
    connections().fleet(access)
    access.choice()


def host_names(access: Access, pattern: str) -> tuple[str, ...]:
    """The hosts that `pattern` means. Raises `PatternError` when there are none."""
    return tuple(host.name for host in connections().inventory(access).select(pattern))


def fleet_with(host: str, access: Access) -> Fleet:
    """The fleet that `host` is of. `UsageError` for one that the inventory does not name."""
    fleet = connections().fleet(access)
    if host not in fleet.hosts:
        raise UsageError(f"{host!r} is not a host of {access.where}", remedy="`remotejobs hosts` lists them.")
    return fleet


def host_of(access: Access, name: str) -> HostLike:
    """The host `name` itself, for what is no job. `UsageError` for one that the inventory does not name."""
    return fleet_with(name, access).hosts[name]


def shell_of(access: Access, name: str) -> Shell:
    """A shell on the host `name`, over the kept connection. `UsageError` as above."""
    fleet = fleet_with(name, access)
    return Shell(fleet.connection(name), become=fleet.become(name, access.choice()))


def jobs_on(access: Access, host: str) -> HostJobs:
    """The jobs of `host` as the user that `access` and the inventory say. `UsageError` for a host of neither."""
    return _jobs(access, host, access.choice())


def jobs_of(access: Access, handle: Handle) -> HostJobs:
    """The jobs among which `handle` is: those of the user that started it, whatever `access` says by now."""
    choice = access.choice()
    user = handle.become_user
    return _jobs(access, handle.host, BecomeChoice(become=bool(user), user=user or None, password=choice.password))


def _jobs(access: Access, host: str, become: BecomeChoice) -> HostJobs:
    return fleet_with(host, access).jobs(host, become=become)
