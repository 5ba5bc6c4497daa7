"""What happened in an episode, as far as it is known: what was asked and reported, what broke, and what really ran."""

from __future__ import annotations

from dataclasses import dataclass, field

from faults.checker.command import CommandRun
from faults.checker.plan import Break, EpisodePlan, Op
from remotejobs.errors import RemoteJobsError
from remotejobs.model import Record


@dataclass(frozen=True, slots=True)
class Reported:
    """An answer: `asked` and `answered` by the clock of the commands.

    `alive` are the runs of which a process was there when the answer had come, by host and pid. `label` is the job's,
    of a start. `did`: a process came to the point of the request's deed, then or later.
    """

    op: Op
    asked: float
    answered: float
    records: tuple[Record, ...] = ()
    error: RemoteJobsError | None = None
    alive: frozenset[tuple[str, int]] = frozenset()
    label: str = ""
    did: bool = False


@dataclass(slots=True)
class EpisodeHistory:
    """All of one episode. `names` and `bases` are of its hosts, in order."""

    plan: EpisodePlan
    names: tuple[str, ...]
    bases: tuple[str, ...]
    reported: list[Reported] = field(default_factory=list)
    broken: list[tuple[float, Break]] = field(default_factory=list)
    runs: list[CommandRun] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What was there when all jobs had been ended: processes that still lived, and jobs whose end was not reported."""
