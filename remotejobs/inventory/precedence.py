"""Which of several settings of one variable counts: Ansible's order, weakest first.

`all` in the inventory, its groups, group_vars/all, group_vars of its groups, the host in the inventory, host_vars.
Among groups: the parent before the child, then the lower ansible_group_priority, then the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from remotejobs.inventory.tree import ALL, Group, Tree
from remotejobs.inventory.values import Raw
from remotejobs.inventory.variable_files import VariableFiles


class Precedence:
    """The variables of each host of a finished tree, with the files beside the inventory in `base`."""

    def __init__(self, tree: Tree, base: Path | None) -> None:
        self._tree = tree
        files = {name: VariableFiles(base / name) for name in ("group_vars", "host_vars")} if base else {}
        self._host_files = files.get("host_vars")
        group_files = files.get("group_vars")
        self._group_files = {n: group_files.variables(n) for n in tree.groups} if group_files else {}
        self._depths: dict[Group, int] = {}
        self._groups_of = _groups_of(tree)
        self._of_groups: dict[frozenset[Group], dict[str, Raw]] = {}

    def group_names(self, host: str) -> tuple[str, ...]:
        """The groups a host is in, parents included, `all` left out, sorted as Ansible's group_names."""
        return tuple(sorted(group.name for group in self._groups_of.get(host, frozenset())))

    def variables(self, host: str, own: Mapping[str, Raw]) -> dict[str, Raw]:
        """All variables of a host, `own` being those set on itself; one unknown to the tree is only under `all`."""
        groups = self._groups_of.get(host, frozenset())
        if groups not in self._of_groups:  # hosts of the same groups share the work
            self._of_groups[groups] = self._merge_groups(groups)
        beside = self._host_files.variables(host) if self._host_files else {}
        return self._of_groups[groups] | dict(own) | beside

    def _merge_groups(self, groups: frozenset[Group]) -> dict[str, Raw]:
        ordered = sorted(groups, key=lambda g: (self._depth(g), g.priority, g.name))
        merged = dict(self._tree.groups[ALL].variables)
        for group in ordered:
            merged |= group.variables
        merged |= self._group_files.get(ALL, {})
        for group in ordered:
            merged |= self._group_files.get(group.name, {})
        return merged

    def _depth(self, group: Group) -> int:
        """The longest way down from `all`."""
        if group not in self._depths:
            self._depths[group] = max((self._depth(parent) + 1 for parent in group.parents), default=0)
        return self._depths[group]


def _groups_of(tree: Tree) -> dict[str, frozenset[Group]]:
    found: dict[str, set[Group]] = {}
    for group in tree.groups.values():
        line = {group, *group.ancestors()}
        for host in group.hosts:
            found.setdefault(host, set()).update(line)
    top = {tree.groups[ALL]}
    return {host: frozenset(groups - top) for host, groups in found.items()}
