"""Hosts with all that their templates may read."""

from __future__ import annotations

import sys
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any

from remotejobs.inventory.errors import Place
from remotejobs.inventory.inventory import Host, Variables
from remotejobs.inventory.reading import Reading
from remotejobs.inventory.settling.precedence import Precedence
from remotejobs.inventory.templates.scope import Scope
from remotejobs.inventory.tree import Member, Tree
from remotejobs.inventory.values import Raw


class HostMaker:
    """Makes the hosts of one inventory, which see each other through `hostvars`."""

    def __init__(self, precedence: Precedence, tree: Tree, reading: Reading) -> None:
        self._precedence = precedence
        self._scopes: dict[str, Scope] = {}
        self._reading = reading
        self._weakest = reading.config.variables if reading.config else {}
        self.groups = {group.name: group.members() for group in tree.groups.values()}
        self._shared = {
            "groups": {name: list(members) for name, members in self.groups.items()},
            "hostvars": self._scopes,
            "ansible_playbook_python": sys.executable,
            "playbook_dir": str((reading.playbook_dir or Path.cwd()).absolute()),
        }

    def host(self, member: Member) -> Host:
        """A host that the inventory names."""
        scope = self._scopes[member.name] = self._scope(member)
        return self._host(member, scope, str(Place(member.place.file, member.place.line)))

    def implicit(self, name: str) -> Host:
        """`localhost` where no inventory names it: this machine, without SSH, with the variables of `all`."""
        place = Place("implicit localhost")
        member = Member(name, place, None, {"ansible_connection": Raw("local", place)})
        return self._host(member, self._scope(member), str(place))

    def _host(self, member: Member, scope: Scope, source: str) -> Host:
        return Host(member.name, self._precedence.group_names(member.name), Variables(scope, self._weakest), source)

    def _scope(self, member: Member) -> Scope:
        file = member.source.absolute() if member.source else None
        magic: dict[str, Any] = self._shared | {
            "inventory_hostname": member.name,
            "inventory_hostname_short": _short(member.name),
            "group_names": list(self._precedence.group_names(member.name)),
            "inventory_file": str(file) if file else None,
            "inventory_dir": str(file.parent) if file else None,
        }
        own = self._precedence.variables(member.name, member.variables)
        return Scope(member.name, own, magic, self._reading.secrets, may_run=self._reading.run_lookups)


def _short(name: str) -> str:
    try:
        IPv4Address(name)
    except AddressValueError:
        return name.partition(".")[0]
    return name
