"""`ansible_group_priority`, which is no variable of a group's hosts but decides between groups."""

from __future__ import annotations

from remotejobs.inventory.errors import InventoryError
from remotejobs.inventory.values import Raw


def priority_of(raw: Raw) -> int:
    """The number that it is. Raises `InventoryError`."""
    try:
        return int(raw.value)
    except (TypeError, ValueError) as exc:
        raise InventoryError("ansible_group_priority must be a whole number", place=raw.place) from exc
