"""The nouns: a `Fault` is tried many times, each `Try` ends with a `TryOutcome`, and a `FaultRow` counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random


class TryOutcome(StrEnum):
    """What became of one job under a fault."""

    SURVIVED = "survived"  # it ran once, and all that was reported of it is true
    LOST = "lost"  # its result is wrong or unknown, or something was said that is not so
    DOUBLE = "double"  # its command ran more than once


@dataclass(frozen=True, slots=True)
class Try:
    """One fault at one job; `reason` says why it did not survive, and else how it did, where there are several ways."""

    verdict: TryOutcome
    reason: str = ""


SURVIVED = Try(TryOutcome.SURVIVED)


def lost(reason: str) -> Try:
    return Try(TryOutcome.LOST, reason)


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run of a fault has: an empty directory, how many tries are wanted, and the only source of chance."""

    directory: Path
    tries: int
    chance: Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`run` makes at least as many tries as the trial wants; `proven` says what "survived" means for it."""

    name: str
    proven: str
    small: int
    full: int
    run: Callable[[Trial], Iterator[Try]]


@dataclass(slots=True)
class FaultRow:
    """A line of the table."""

    fault: Fault
    seed: int
    tries: int = 0
    counts: dict[TryOutcome, int] = field(default_factory=lambda: dict.fromkeys(TryOutcome, 0))
    reasons: list[str] = field(default_factory=list)
    ways: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, one: Try) -> None:
        self.tries += 1
        self.counts[one.verdict] += 1
        if one.verdict is not TryOutcome.SURVIVED:
            self.reasons.append(f"{one.verdict}: {one.reason}")
        elif one.reason:
            self.ways[one.reason] += 1

    @property
    def whole(self) -> bool:
        """Whether nothing was lost and nothing ran twice."""
        return self.tries == self.counts[TryOutcome.SURVIVED] > 0
