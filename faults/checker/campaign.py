"""Many episodes, one after the other, and their figures."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from faults.checker.episode import Change, ground_at, happen
from faults.checker.history import EpisodeHistory
from faults.checker.hosts import SharedHosts
from faults.checker.judge import Violation, violations
from faults.checker.plan import EpisodePlan, drawn
from faults.host.points import points_of
from remotejobs.agent import request
from remotejobs.model import Job


@dataclass(frozen=True, slots=True)
class Failure:
    """A plan, what happened, and what was not true of it."""

    history: EpisodeHistory
    found: tuple[Violation, ...]


@dataclass(slots=True)
class Figures:
    """What a campaign came to."""

    seed: int
    episodes: int = 0
    runs: int = 0
    seconds: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, history: EpisodeHistory) -> None:
        self.episodes += 1
        self.runs += len(history.runs)
        self.asked.update(reported.op.what for reported in history.reported)
        self.broken.update(one.what for _, one in history.broken)
        deeds = [reported.op.deed for reported in history.reported if reported.did and reported.op.deed]
        self.broken.update("death at a point" if deed.pause is None else "pause at a point" for deed in deeds)


class Checker:
    """`except_for` are rules whose violations do not count."""

    def __init__(self, ground: SharedHosts, except_for: Collection[str] = (), change: Change | None = None) -> None:
        self._ground = ground
        self._except_for = except_for
        self._change = change or (lambda connection: connection)

    def check(self, plan: EpisodePlan) -> tuple[EpisodeHistory, tuple[Violation, ...]]:
        """Let the plan happen, in a directory of its own that is gone afterwards."""
        # Short, as messages name a FIFO in full; and other users must be able to enter.
        place = Path(mkdtemp(prefix="checker-"))
        try:
            history = happen(plan, place, self._ground, self._change)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return history, tuple(each for each in violations(history) if each.rule not in self._except_for)


def all_points() -> tuple[str, ...]:
    """Of all requests."""
    job = Job(jid="j", cmd="true", locks=("lock",))
    texts = (request.start(job, "").script, request.kill("j", "").script)
    return tuple(dict.fromkeys(point for text in texts for point in points_of(text)))


def seeds(seed: int) -> Iterator[str]:
    """Of the episodes of a campaign; one of them is enough to see its episode again."""
    number = 0
    while True:
        yield f"{seed}.{number}"
        number += 1


def campaign(
    seed: int, seconds: float, place: Path, except_for: Collection[str], report: Callable[[Figures], None]
) -> Figures:
    """Episodes until the time is over."""
    figures, points, began = Figures(seed), all_points(), time.monotonic()
    with ground_at(place) as ground:
        checker = Checker(ground, except_for)
        for each in seeds(seed):
            if (spent := time.monotonic() - began) >= seconds:
                break
            history, found = checker.check(drawn(each, points))
            figures.add(history)
            if found:
                figures.failures.append(Failure(history, found))
            figures.seconds = spent
            report(figures)
    figures.seconds = time.monotonic() - began
    return figures
