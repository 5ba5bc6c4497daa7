"""What a migration is made of, as far as deciding about it goes."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.operations.migration.observed import MigrationStep


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """The hosts in their order, the steps that have a command, and whether a host waits for the one before it."""

    hosts: tuple[str, ...]
    steps: frozenset[MigrationStep]
    one_by_one: bool = False

    @property
    def batches(self) -> tuple[tuple[str, ...], ...]:
        return tuple((host,) for host in self.hosts) if self.one_by_one else (self.hosts,)
