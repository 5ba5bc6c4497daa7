"""What a variable is before templating: values as read, and the marks of `!unsafe` and `!vault`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from remotejobs.inventory.place import Place


class Unsafe(str):
    """A string that is never a template (`!unsafe`)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Vault:
    """An encrypted value: known to be there, an error as soon as it is used."""


@dataclass(frozen=True, slots=True)
class Raw:
    """The untemplated value of a variable and where it was set. Values may be secret, hence no repr."""

    value: Any
    place: Place

    def __repr__(self) -> str:
        return f"Raw({self.place})"
