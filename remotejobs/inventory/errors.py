"""What can be wrong with an inventory, and with a pattern that selects from it; where in the inventory it is."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.errors import UsageError


@dataclass(frozen=True, slots=True)
class Place:
    """A line (from 1; 0 when the whole file is meant) of a file, and the keys that lead to it."""

    file: str
    line: int = 0
    keys: tuple[str, ...] = ()

    def at(self, line: int, key: object) -> Place:
        """The place of `key`, one level deeper, on `line`."""
        return Place(self.file, line, (*self.keys, str(key)))

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {' > '.join(self.keys)}" if self.keys else where


class InventoryError(UsageError):
    """Correct the inventory at the place named."""

    def __init__(self, message: str, *, place: Place, remedy: str | None = None) -> None:
        self.place = place
        super().__init__(f"{place}: {message}", remedy=remedy)


class PatternError(UsageError):
    """`remotejobs hosts all` shows the hosts and groups that a pattern can name."""
