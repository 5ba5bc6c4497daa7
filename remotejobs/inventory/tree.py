"""Groups and hosts while they are being read: which is under which, and what was set where."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.values import Raw

ALL = "all"
UNGROUPED = "ungrouped"


@dataclass(eq=False, slots=True)
class Group:
    """`hosts` are the names directly in it; `children` and `parents` the groups one step away."""

    name: str
    priority: int = 1
    variables: dict[str, Raw] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    children: list[Group] = field(default_factory=list)
    parents: list[Group] = field(default_factory=list)

    def ancestors(self) -> set[Group]:
        """All groups above this one."""
        seen: set[Group] = set()
        waiting = list(self.parents)
        while waiting:
            group = waiting.pop()
            if group not in seen:
                seen.add(group)
                waiting.extend(group.parents)
        return seen

    def members(self) -> tuple[str, ...]:
        """All hosts, children's included, each once: nearest level first, as Ansible orders them."""
        names: dict[str, None] = {}
        level = [self]
        while level:
            for group in level:
                names |= group.hosts
            level = list(dict.fromkeys(child for group in level for child in group.children))
        return tuple(names)


@dataclass(slots=True)
class Member:
    """A host: where it was first named, the file of that (None: a list), and what was set on the host itself."""

    name: str
    place: Place
    source: Path | None
    variables: dict[str, Raw] = field(default_factory=dict)


class Tree:
    """All groups and hosts in the order of their first mention; `read` are the files and lists that named them."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.hosts: dict[str, Member] = {}
        self.read: list[str] = []
        self.add_child(self.group(ALL), self.group(UNGROUPED))

    def group(self, name: str) -> Group:
        """The group of that name, made when it is new."""
        return self.groups.setdefault(name, Group(name))

    def add_child(self, parent: Group, child: Group) -> bool:
        """Put `child` under `parent`; False, and nothing done, when that would close a circle."""
        if child is parent or child in parent.ancestors():
            return False
        if child not in parent.children:
            parent.children.append(child)
            child.parents.append(parent)
        return True

    def host(self, name: str, group: Group, place: Place, source: Path | None, port: int | None) -> Member:
        """The host of that name, made when it is new, put into `group`. A port counts on its first mention."""
        member = self.hosts.get(name)
        if member is None:
            member = self.hosts[name] = Member(name, place, source)
            if port is not None:
                member.variables["ansible_port"] = Raw(port, place)
        group.hosts[name] = None
        return member

    def finish(self) -> None:
        """What Ansible adds by itself: everything is under `all`, and a host without a group is `ungrouped`."""
        for group in self.groups.values():
            if group.name != ALL and not group.parents:
                self.add_child(self.groups[ALL], group)
        grouped = {n for g in self.groups.values() if g.name not in (ALL, UNGROUPED) for n in g.hosts}
        ungrouped = self.groups[UNGROUPED]
        kept = [name for name in ungrouped.hosts if name not in grouped]
        loose = [name for name in self.hosts if name not in grouped]
        ungrouped.hosts = dict.fromkeys(kept + loose)


def priority_of(raw: Raw) -> int:
    """The number of `ansible_group_priority`, which decides between groups. Raises `InventoryError`."""
    try:
        return int(raw.value)
    except (TypeError, ValueError) as exc:
        raise InventoryError("ansible_group_priority must be a whole number", place=raw.place) from exc
