"""What the hosts say of a migration: the only truth there is, for the controller keeps none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from remotejobs.model import Record, State


class MigrationStep(StrEnum):
    """The steps on one host, each a detached job."""

    BEFORE = "before"
    MIGRATE = "migrate"
    PREPARE_ROLLBACK = "prepare_rollback"
    VERIFY = "verify"
    STOP = "stop"
    VERIFY_STOP = "verify_stop"
    ROLLBACK = "rollback"
    VERIFY_ROLLBACK = "verify_rollback"


class StepStatus(StrEnum):
    """How a step stands on a host. `lost`: how it ended is unknown; `not_run`: it cannot be started."""

    ABSENT = "absent"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    NOT_RUN = "not_run"

    @property
    def ended(self) -> bool:
        return self not in (StepStatus.ABSENT, StepStatus.RUNNING)

    @property
    def started(self) -> bool:
        """Whether the command has run, or runs."""
        return self not in (StepStatus.ABSENT, StepStatus.NOT_RUN)


class HostStep(NamedTuple):
    """One step on one host."""

    host: str
    step: MigrationStep


@dataclass(frozen=True, slots=True)
class ObservedStep:
    """How a step stands on a host, and the host's own words."""

    status: StepStatus
    record: Record | None = None
    reason: str = ""


ABSENT = ObservedStep(StepStatus.ABSENT)
_STATUSES = {State.RUNNING: StepStatus.RUNNING, State.SUCCEEDED: StepStatus.SUCCEEDED, State.LOST: StepStatus.LOST}


def observed_from(record: Record) -> ObservedStep:
    """A job that was never run, for its start was cut off, is as good as none: it can be started again."""
    if record.state is State.LOST and record.cause == "never":
        return ABSENT
    return ObservedStep(_STATUSES.get(record.state, StepStatus.FAILED), record)


@dataclass(frozen=True, slots=True)
class ObservedState:
    """All that is known: steps; for hosts that were asked, what of the migration is still alive; unreachable hosts.

    `survivors` is "" for a host where every process of the migration is proven dead, and PostgreSQL has nothing of it,
    if that was to be asked. `unreachable` gives the last error
    of hosts that could not be reached until the timeout.
    """

    steps: Mapping[HostStep, ObservedStep] = field(default_factory=dict)
    survivors: Mapping[str, str] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)

    def seen(self, host: str, step: MigrationStep) -> ObservedStep:
        return self.steps.get(HostStep(host, step), ABSENT)

    def at(self, host: str, step: MigrationStep) -> StepStatus:
        return self.seen(host, step).status

    @property
    def started(self) -> bool:
        """Whether anything of the migration has run on any host."""
        return any(seen.status.started for seen in self.steps.values())

    def updated(self, news: ObservedState) -> ObservedState:
        """This state with `news` in place of what was known before. What ran since it was proven dead is not proven."""
        stale = {host_step.host for host_step in news.steps}
        proven = {host: survivors for host, survivors in self.survivors.items() if host not in stale}
        return ObservedState(
            steps={**self.steps, **news.steps},
            survivors={**proven, **news.survivors},
            unreachable={**self.unreachable, **news.unreachable},
        )
