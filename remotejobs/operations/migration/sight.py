"""What the hosts say of a migration: the only truth there is, for the controller keeps none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from remotejobs.model import Record, State


class Step(StrEnum):
    """The steps on one host, each a detached job."""

    MIGRATE = "migrate"
    PREPARE_ROLLBACK = "prepare_rollback"
    VERIFY = "verify"
    ROLLBACK = "rollback"
    VERIFY_ROLLBACK = "verify_rollback"


class Standing(StrEnum):
    """How a step stands on a host. `lost`: nobody knows how it ended; `not_run`: it cannot be started."""

    ABSENT = "absent"
    RUNNING = "running"
    WELL = "well"
    BADLY = "badly"
    LOST = "lost"
    NOT_RUN = "not_run"

    @property
    def ended(self) -> bool:
        return self not in (Standing.ABSENT, Standing.RUNNING)

    @property
    def begun(self) -> bool:
        """Whether the command has run, or runs."""
        return self not in (Standing.ABSENT, Standing.NOT_RUN)


class Place(NamedTuple):
    """One step on one host."""

    host: str
    step: Step


@dataclass(frozen=True, slots=True)
class Seen:
    """How a step stands on a host, and the host's own words."""

    standing: Standing
    record: Record | None = None
    reason: str = ""


ABSENT = Seen(Standing.ABSENT)
_STANDINGS = {State.RUNNING: Standing.RUNNING, State.SUCCEEDED: Standing.WELL, State.LOST: Standing.LOST}


def seen_of(record: Record) -> Seen:
    """A job that was never run, for its start was cut off, is as good as none: it can be started again."""
    if record.state is State.LOST and record.cause == "never":
        return ABSENT
    return Seen(_STANDINGS.get(record.state, Standing.BADLY), record)


@dataclass(frozen=True, slots=True)
class Sight:
    """All that is known: steps; for hosts that were asked, which processes outlived KILL; unreachable hosts.

    `survivors` is "" for a host where every process of the migration is proven dead. `unreachable` gives the last error
    of hosts that could not be reached until the timeout.
    """

    steps: Mapping[Place, Seen] = field(default_factory=dict)
    survivors: Mapping[str, str] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)

    def seen(self, host: str, step: Step) -> Seen:
        return self.steps.get(Place(host, step), ABSENT)

    def at(self, host: str, step: Step) -> Standing:
        return self.seen(host, step).standing

    @property
    def begun(self) -> bool:
        """Whether anything of the migration has run on any host."""
        return any(seen.standing.begun for seen in self.steps.values())

    def updated(self, news: Sight) -> Sight:
        """This sight with `news` in place of what was known before. What ran since it was proven dead is not proven."""
        stale = {place.host for place in news.steps}
        proven = {host: survivors for host, survivors in self.survivors.items() if host not in stale}
        return Sight(
            steps={**self.steps, **news.steps},
            survivors={**proven, **news.survivors},
            unreachable={**self.unreachable, **news.unreachable},
        )
