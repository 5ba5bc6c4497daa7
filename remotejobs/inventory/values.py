"""What a variable is before templating: values as read, and the marks of `!unsafe`, `!vault` and encrypted files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from remotejobs.inventory.errors import Place
from remotejobs.inventory.vault.secrets import Secrets


class Unsafe(str):
    """A string that is never a template (`!unsafe`)."""

    __slots__ = ()


class Secret(str):
    """A string that was in a vault, or was made of one that was. Errors quote values by `repr`, which hides it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'"


class UnsafeSecret(Unsafe, Secret):
    """Both: what a `!vault` value is when it is open."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Vault:
    """An encrypted value: known to be there, opened as soon as it is used."""

    ciphertext: str
    secrets: Secrets = field(compare=False, repr=False)

    def open(self, place: Place) -> UnsafeSecret:
        """What is in it. `InventoryError` when no password opens it."""
        return UnsafeSecret(self.secrets.open(self.ciphertext, place))


@dataclass(frozen=True, slots=True)
class Raw:
    """The untemplated value of a variable and where it was set. Values may be secret, hence no repr."""

    value: Any
    place: Place

    def __repr__(self) -> str:
        return f"Raw({self.place})"
