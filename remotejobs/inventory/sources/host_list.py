"""A list of hosts with a comma in it, as `web1,web2:2222,`."""

from __future__ import annotations

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.forms.names import BadName, expand
from remotejobs.inventory.tree import UNGROUPED, Tree


def add_list(text: str, tree: Tree) -> None:
    """Add its hosts to the tree. Raises `InventoryError`."""
    place = Place(f"list {text!r}")
    words = [word for part in text.split(",") if (word := part.strip())]
    if not words:
        raise InventoryError("names no host", place=place, remedy="Write at least one: `web1,`.")
    for word in words:
        try:
            names, port = expand(word)
        except BadName as exc:
            raise InventoryError(str(exc), place=place, remedy="Correct the host's name.") from exc
        for name in names:
            if name not in tree.hosts:  # one that an inventory before it names stays in its groups alone
                tree.host(name, tree.groups[UNGROUPED], place, None, port)
