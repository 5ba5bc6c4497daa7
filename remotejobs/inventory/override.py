"""Hosts of which something is said from outside of the inventory, which counts more: a login, a time-out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from remotejobs.inventory.errors import Place
from remotejobs.inventory.inventory import Host


class Overridden(Mapping[str, Any]):
    """What is `given`, and all else as it is `below`: looked up when it is asked for and not before.

    A template that is not needed may be wrong there, and a vault that is not needed may stay closed.
    """

    def __init__(self, below: Mapping[str, Any], given: Mapping[str, Any], origin: str) -> None:
        self._below, self._given, self._origin = below, given, origin

    def __getitem__(self, name: str) -> Any:
        return self._given[name] if name in self._given else self._below[name]

    def __contains__(self, name: object) -> bool:
        return name in self._given or name in self._below

    def __iter__(self) -> Iterator[str]:
        return chain(self._below, (name for name in self._given if name not in self._below))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def outside(self, name: str) -> Place | None:
        """Where a variable was set that is not of the inventory."""
        if name in self._given:
            return Place(self._origin)
        outside = getattr(self._below, "outside", None)
        place: Place | None = outside(name) if outside else None
        return place

    def __repr__(self) -> str:
        return f"Overridden({', '.join(self)})"  # names only: values may be secret


def with_login(hosts: Iterable[Host], user: str | None, password: str | None, origin: str) -> list[Host]:
    """The same hosts, logged in to as `user` and by `password`, where not None; `origin` says where that was set."""
    # Of several names for one thing the last counts, and these are the last.
    wanted = {"ansible_ssh_user": user, "ansible_ssh_password": password}
    given = {name: value for name, value in wanted.items() if value is not None}
    return [replace(host, variables=Overridden(host.variables, given, origin)) if given else host for host in hosts]
