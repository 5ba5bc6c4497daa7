"""What there is to do next, or the verdict that ends a migration: one that claims no more than was proven."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from remotejobs.operations.migration.observed import HostStep


class MigrationOutcome(StrEnum):
    """The name of the flow run's last state."""

    COMPLETED = "Completed"
    ROLLED_BACK = "RolledBack"
    ROLLBACK_FAILED = "RollbackFailed"
    UNKNOWN = "Unknown"
    REFUSED = "Refused"

    @property
    def settled(self) -> bool:
        """Whether the hosts are proven to be as they were, or as they should be: another migration may begin there."""
        return self in (MigrationOutcome.COMPLETED, MigrationOutcome.ROLLED_BACK, MigrationOutcome.REFUSED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end; `why` gives the reasons, a line each."""

    outcome: MigrationOutcome
    why: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        return ". ".join(why.removesuffix(".") for why in self.why)


@dataclass(frozen=True, slots=True)
class RunSteps:
    """Start these steps side by side, or attach to those that are there, and wait until all have ended."""

    host_steps: tuple[HostStep, ...]


@dataclass(frozen=True, slots=True)
class EnsureDead:
    """End every process that is left of the steps on these hosts, and prove that none is."""

    hosts: tuple[str, ...]


Action = RunSteps | EnsureDead | Verdict
