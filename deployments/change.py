"""One thing that the server does not have as it is declared, and how to make it so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from remotejobs.text import shortened


@dataclass(frozen=True, slots=True)
class Change:
    """`what` says it in lines for people, without secrets; `apply` does it, and is None where it cannot be done yet.

    `removes`: the server has it, and it is not declared any more.
    """

    kind: str
    name: str
    apply: Callable[[], object] | None
    what: tuple[str, ...] = field(default=())
    removes: bool = False

    @property
    def _sign(self) -> str:
        if self.apply is None:
            return "?"
        if self.removes:
            return "-"
        return "~" if self.what else "+"

    def __str__(self) -> str:
        return "\n".join([f"{self._sign} {self.kind} {self.name}", *(f"    {line}" for line in self.what)])


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """`limit: 5 -> 8`, for each value that is not as declared; values that are not declared are ignored."""
    differ = [key for key, value in wanted.items() if found.get(key) != value]
    return tuple(f"{key}: {_short(found.get(key))} -> {_short(wanted[key])}" for key in differ)


def _short(value: object) -> str:
    return shortened(repr(value), 60)
