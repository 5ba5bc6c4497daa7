"""`ansible-inventory --graph`: the groups as a tree, with their hosts."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from remotejobs.inventory.errors import PatternError
from remotejobs.inventory.inventory import Inventory
from remotejobs.inventory.tree import ALL, Group


def graph(inventory: Inventory, top: str = ALL) -> Iterator[str]:
    """The lines, from the group `top` down. Raises `PatternError` when there is no such group."""
    group = inventory.tree.groups.get(top)
    if group is None:
        near = difflib.get_close_matches(top, inventory.groups, 3)
        raise PatternError(
            f"no group is named {top!r} in {inventory.where}",
            remedy=f"Did you mean {' or '.join(near)}?" if near else None,
        )
    return _lines(group, 0)


def _lines(group: Group, depth: int) -> Iterator[str]:
    yield _line(f"@{group.name}:", depth)
    for child in group.children:
        yield from _lines(child, depth + 1)
    if group.name != ALL:
        for host in group.hosts:
            yield _line(host, depth + 1)


def _line(name: str, depth: int) -> str:
    return "  |" * depth + f"--{name}" if depth else name
