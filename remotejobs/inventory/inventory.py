"""The hosts of an inventory, ready to be chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remotejobs.inventory.errors import PatternError
from remotejobs.inventory.patterns import LOCALHOST, Names, evaluate, parse
from remotejobs.inventory.place import Place
from remotejobs.inventory.scope import Scope


class Variables(Mapping[str, Any]):
    """The final values of a host's variables, each templated when it is asked for.

    Looking up a value raises `InventoryError` when its template is wrong or needs an undefined variable.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._final: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._final:
            self._final[name] = _final(self._scope[name], self._scope.own[name].place)
        return self._final[name]

    def __contains__(self, name: object) -> bool:
        return name in self._scope.own

    def __iter__(self) -> Iterator[str]:
        return iter(self._scope.own)

    def __len__(self) -> int:
        return len(self._scope.own)

    def __repr__(self) -> str:
        return f"Variables({', '.join(self)})"  # names only: values may be secret


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `groups` are all it is in except `all`, sorted; `source` is "file:line" of its first mention."""

    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any] = field(compare=False, repr=False)
    source: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """`hosts` are in the order of their first mention, `groups` list all their hosts, children's included.

    `implicit` makes the host for `localhost` where the inventory has none.
    """

    path: Path
    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    implicit: Callable[[str], Host] = field(compare=False, repr=False)

    def select(self, pattern: str, limit: str | None = None) -> tuple[Host, ...]:
        """The hosts that `pattern` names and that `limit` (None or empty: no limit) names too.

        Raises `PatternError` for an unknown name, a wrong pattern, and when no host is left.
        """
        chosen = self._names_of(pattern)
        if not chosen:
            raise PatternError(f"pattern {pattern!r} matches no host in {self.path}")
        if limit:
            within = set(self._names_of(limit))
            left = tuple(name for name in chosen if name in within)
            if not left:
                raise PatternError(
                    f"limit {limit!r} leaves none of the {len(chosen)} hosts of pattern {pattern!r}",
                    remedy=f"The pattern names {', '.join(chosen[:5])}{', ...' if len(chosen) > 5 else ''}.",
                )
            chosen = left
        return tuple(self.hosts[name] if name in self.hosts else self.implicit(name) for name in chosen)

    def _names_of(self, pattern: str) -> tuple[str, ...]:
        return evaluate(parse(pattern), Names(self.hosts, self.groups, self._implicit_name, str(self.path)))

    def _implicit_name(self, word: str) -> str | None:
        """As in Ansible, every word for this machine means the one that the inventory has, if it has one."""
        if word not in LOCALHOST:
            return None
        return next((name for name in self.hosts if name in LOCALHOST), word)


def _final(value: Any, place: Place) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    # Only a container, or what a template gave, needs Jinja2 to be judged.
    from remotejobs.inventory.templates import final

    return final(value, place)
