"""How a migration ends, in one word and in a sentence that claims no more than was proven."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
