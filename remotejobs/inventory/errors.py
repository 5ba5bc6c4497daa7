"""What can be wrong with an inventory, and with a pattern that selects from it."""

from __future__ import annotations

from remotejobs.errors import UsageError
from remotejobs.inventory.place import Place


class InventoryError(UsageError):
    """Correct the inventory at the place named."""

    def __init__(self, message: str, *, place: Place, remedy: str | None = None) -> None:
        self.place = place
        super().__init__(f"{place}: {message}", remedy=remedy)


class PatternError(UsageError):
    """`remotejobs hosts all` shows the hosts and groups that a pattern can name."""
