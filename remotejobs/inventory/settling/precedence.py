"""Which of several settings of one variable counts: Ansible's order, weakest first.

`all` in the inventory, its groups, group_vars/all, group_vars of its groups, the host in the inventory, host_vars.
Among groups: the parent before the child, then the lower ansible_group_priority, then the name. The files beside the
second inventory count more than those beside the first, and those of the playbook's directory more than both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from remotejobs.inventory.settling.layers import Layer, joined, variables_of
from remotejobs.inventory.settling.variable_files import VariableFiles
from remotejobs.inventory.tree import ALL, Group, Tree
from remotejobs.inventory.values import Raw
from remotejobs.inventory.vault.secrets import Secrets


class Precedence:
    """The variables of each host of a finished tree, with the files in the directories `bases` and of the playbook."""

    def __init__(self, tree: Tree, bases: Sequence[Path], playbook_dir: Path | None, secrets: Secrets) -> None:
        self._tree = tree
        directories: dict[Path, VariableFiles] = {}

        def files(base: Path, kind: str) -> VariableFiles:
            return directories.setdefault(base / kind, VariableFiles(base / kind, secrets))

        beside_play = [playbook_dir] if playbook_dir else []
        self._group_files = [[files(base, "group_vars") for base in some] for some in (bases, beside_play)]
        self._host_files = [files(base, "host_vars") for base in (*bases, *beside_play)]
        for directory in chain.from_iterable(self._group_files):
            for name in tree.groups:
                directory.layers(name)  # also of groups without a host: an error in a file is reported wherever it is
        self._depths: dict[Group, int] = {}
        self._groups_of = _groups_of(tree)
        self._of_groups: dict[frozenset[Group], tuple[Layer, ...]] = {}

    def group_names(self, host: str) -> tuple[str, ...]:
        """The groups a host is in, parents included, `all` left out, sorted as Ansible's group_names."""
        return tuple(sorted(group.name for group in self._groups_of.get(host, frozenset())))

    def variables(self, host: str, own: Mapping[str, Raw]) -> Mapping[str, Raw]:
        """All variables of a host, `own` being those set on itself; one unknown to the tree is only under `all`."""
        groups = self._groups_of.get(host, frozenset())
        if groups not in self._of_groups:  # hosts of the same groups share the work
            self._of_groups[groups] = joined(self._group_layers(groups))
        beside = chain.from_iterable(files.layers(host) for files in self._host_files)
        return variables_of((*self._of_groups[groups], dict(own), *beside))

    def _group_layers(self, groups: frozenset[Group]) -> Iterator[Layer]:
        ordered = sorted(groups, key=lambda g: (self._depth(g), g.priority, g.name))
        yield self._tree.groups[ALL].variables
        for group in ordered:
            yield group.variables
        for names in ([ALL], [group.name for group in ordered]):
            for directories in self._group_files:
                for files in directories:
                    for name in names:
                        yield from files.layers(name)

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
