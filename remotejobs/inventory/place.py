"""Where in an inventory something is written, so that every error can say it."""

from __future__ import annotations

from dataclasses import dataclass


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
