"""What ssh_config files hold: settings, and the conditions under which they count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from remotejobs.connections.ssh.config.patterns import is_literal, matches


@dataclass(frozen=True, slots=True)
class Setting:
    """One keyword with its values; `place` is file and line."""

    key: str
    values: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Criterion:
    """One part of a Match line; `patterns` is "" for all, final and canonical."""

    name: str
    patterns: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BlockCondition:
    """A Host line with its patterns, or a Match line with its criteria."""

    patterns: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The only names of hosts for which it can hold; () where that is not known."""
        return self.patterns if all(map(is_literal, self.patterns)) else ()

    def is_for(self, name: str) -> bool:
        """Whether a Host line is for `name`."""
        if any(pattern.startswith("!") and matches(name, pattern[1:]) for pattern in self.patterns):
            return False
        return any(matches(name, pattern) for pattern in self.patterns if not pattern.startswith("!"))


@dataclass(frozen=True, slots=True)
class Block:
    """Settings that count where all conditions hold, the outermost first."""

    conditions: tuple[BlockCondition, ...]
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Beyond:
    """Where the files hold something whose meaning only OpenSSH knows fully."""

    place: str
    what: str


@dataclass(frozen=True)
class ConfigDocument:
    """All that OpenSSH would read, in its order.

    `beyond` is what this reader leaves to OpenSSH; `commented` are lines with a comment after their values. `patterns`
    are all words of Host and Match lines that may name a host, `criteria` all criteria, and `keywords` all keywords.
    `digest` is the same for the same contents in the same places. `relative` is the place of a relative Include in the
    system's file.
    """

    blocks: tuple[Block, ...]
    beyond: tuple[Beyond, ...]
    commented: tuple[Beyond, ...]
    patterns: frozenset[str]
    criteria: frozenset[str]
    keywords: frozenset[str]
    digest: str
    relative: str = ""
    candidates: dict[str, tuple[Setting, ...]] = field(default_factory=dict)

    @cached_property
    def wants_final(self) -> bool:
        """Whether OpenSSH reads everything a second time, for the name that the first reading gave."""
        conditions = (condition for block in self.blocks for condition in block.conditions)
        return any(one.name == "final" for each in conditions for one in each.criteria)

    def blocks_for(self, name: str) -> Iterator[Block]:
        """Those that may count for `name`, in their order."""
        literal, others = self._index
        for at in sorted({*literal.get(name, ()), *others}):
            yield self.blocks[at]

    def class_of(self, name: str) -> frozenset[str]:
        """The patterns that name it. For hosts with the same ones, the same lines count."""
        lower = name.lower()
        wild = {pattern for pattern in self._wild if matches(name, pattern) or matches(lower, pattern.lower())}
        return frozenset(wild | ({name, lower} & self.patterns))

    @cached_property
    def _index(self) -> tuple[dict[str, list[int]], list[int]]:
        """The numbers of the blocks by the names that they are for, and those for which that is not known."""
        literal: dict[str, list[int]] = {}
        others: list[int] = []
        for number, block in enumerate(self.blocks):
            names = next((condition.names for condition in block.conditions if condition.names), ())
            for name in set(names):
                literal.setdefault(name, []).append(number)
            if not names:
                others.append(number)
        return literal, others

    @cached_property
    def _wild(self) -> tuple[str, ...]:
        return tuple(one for one in self.patterns if not is_literal(one) or one != one.lower())
