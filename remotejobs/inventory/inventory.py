"""The hosts of an inventory, ready to be chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from remotejobs.inventory.errors import PatternError, Place
from remotejobs.inventory.patterns import LOCALHOST, PatternNames, evaluate, parse
from remotejobs.inventory.settings.ansible_cfg import names_of
from remotejobs.inventory.templates.scope import Scope
from remotejobs.inventory.tree import Tree
from remotejobs.inventory.values import Raw


class Variables(Mapping[str, Any]):
    """The final values of a host's variables, each templated when it is asked for.

    Looking up a value raises `InventoryError` when its template is wrong or needs an undefined variable.
    """

    def __init__(self, scope: Scope, weakest: Mapping[str, Raw]) -> None:
        """`weakest` are settings from outside of the inventory, which templates do not see."""
        self._scope = scope
        self._weakest = weakest
        self._final: dict[str, Any] = {}

    @property
    def raw(self) -> Mapping[str, Raw]:
        """The values as they are written, and where."""
        return self._scope.own

    @property
    def closed(self) -> tuple[Place, ...]:
        """Encrypted files of variables for which no password is at hand."""
        return self._scope.closed

    def __getitem__(self, name: str) -> Any:
        if name in self._settings:
            return self._settings[name].value
        if name not in self._final:
            self._final[name] = _final(self._scope[name], self._scope.own[name].place, self._scope.closed)
        return self._final[name]

    def __contains__(self, name: object) -> bool:
        return name in self._scope.own or name in self._settings

    def __iter__(self) -> Iterator[str]:
        return chain(self._scope.own, self._settings)

    def __len__(self) -> int:
        return len(self._scope.own) + len(self._settings)

    def __reduce__(self) -> tuple[type[Variables], tuple[Scope, Mapping[str, Raw]]]:
        """Pickled without what was filled in: a secret may be among that."""
        return Variables, (self._scope, self._weakest)

    @cached_property
    def _settings(self) -> Mapping[str, Raw]:
        """Those of the weakest that the inventory does not set, under any of their names."""
        own = self._scope.own
        return {name: raw for name, raw in self._weakest.items() if not any(same in own for same in names_of(name))}

    def outside(self, name: str) -> Place | None:
        """Where a variable was set that is not of the inventory."""
        return self._settings[name].place if name in self._settings else None

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

    `sources` are as they were named, and `tree` is what they say. `implicit` makes the host for `localhost` where the
    inventory has none.
    """

    sources: tuple[str, ...]
    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    tree: Tree = field(compare=False, repr=False)
    implicit: Callable[[str], Host] = field(compare=False, repr=False)

    @property
    def where(self) -> str:
        """The sources in words, for errors."""
        return ", ".join(self.sources)

    def select(self, pattern: str, limit: str | None = None) -> tuple[Host, ...]:
        """The hosts that `pattern` names and that `limit` (None or empty: no limit) names too.

        Raises `PatternError` for an unknown name, a wrong pattern, and when no host is left.
        """
        chosen = self._names_of(pattern)
        if not chosen:
            raise PatternError(f"pattern {pattern!r} matches no host in {self.where}")
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

    def select_one(self, pattern: str) -> Host:
        """The one host that `pattern` names. Raises `PatternError` also when it names several."""
        chosen = self.select(pattern)
        if len(chosen) > 1:
            raise PatternError(f"pattern {pattern!r} names {len(chosen)} hosts", remedy="Name one host.")
        return chosen[0]

    def _names_of(self, pattern: str) -> tuple[str, ...]:
        return evaluate(parse(pattern), PatternNames(self.hosts, self.groups, self._implicit_name, self.where))

    def _implicit_name(self, word: str) -> str | None:
        """As in Ansible, every word for this machine means the one that the inventory has, if it has one."""
        if word not in LOCALHOST:
            return None
        return next((name for name in self.hosts if name in LOCALHOST), word)


def _final(value: Any, place: Place, closed: Sequence[Place]) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    # Only a container, or what a template gave, needs Jinja2 to be judged.
    from remotejobs.inventory.templates.engine import final

    return final(value, place, closed)
