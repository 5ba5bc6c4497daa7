"""A run on many hosts, split into shards: what a person says of it, and which hosts are whose."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field, field_validator

from remotejobs.operations.rolling.budget import Amount, amount_of

POOL = "remotejobs-shards"
_MOST_HOSTS = 500  # of a shard, where no number of shards is given
_FEWEST_HOSTS = 10
_A_WORKER = 2  # shards at a time: --limit of its unit
_ALL = "100%"


class Shards(BaseModel):
    """Whether other workers do the work, each a shard of the hosts, and how many hosts may fail of all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(
        default=1,
        ge=0,
        le=100,
        description=f"How many runs the hosts are split into; the workers of the pool {POOL} take them. "
        "1: this run does it all itself. 0: by the number of hosts and of workers.",
    )
    max_failed: Amount = Field(
        default=_ALL,
        description="Hosts that may fail: 1 or 25% (rounded down). Unreachable ones count. "
        "With one more no further shard begins.",
    )

    @field_validator("max_failed")
    @classmethod
    def _amount(cls, amount: Amount) -> Amount:
        amount_of(amount, 1)
        return amount

    @property
    def wanted(self) -> bool:
        return self.number != 1

    @property
    def bears_all(self) -> bool:
        """Whether no number of failed hosts stops it."""
        return self.max_failed == _ALL

    def number_for(self, *, hosts: int, workers: int) -> int:
        """How many shards: as asked, otherwise two for each worker, of 10 to 500 hosts."""
        if self.number:
            return self.number
        return min(max(_A_WORKER * workers, math.ceil(hosts / _MOST_HOSTS)), max(1, hosts // _FEWEST_HOSTS))

    def exceeded(self, *, failed: int, hosts: int) -> str:
        """Why no further shard may begin, or ""."""
        allowed = amount_of(self.max_failed, hosts)
        return f"{failed} of {hosts} hosts failed, {allowed} may" if failed > allowed else ""


class Shard(BaseModel):
    """Which shard a run is, and of what; filled in by the run that is split, and empty in every other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str = Field(default="", description="Id of the run that was split. Its jobs bear this id in all shards.")
    number: int = Field(default=0, ge=0, description="Which of the shards this is, from 1.")
    total: int = Field(default=0, ge=0, description="How many there are.")
    hosts: tuple[str, ...] = Field(default=(), description="Its hosts; empty: all that the run is about.")

    def among(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of `names` that are this shard's."""
        return tuple(name for name in names if name in self.hosts) if self.of else tuple(names)

    def __str__(self) -> str:
        return f"shard {self.number} of {self.total}"


IN_ONE_RUN = Shards()
WHOLE = Shard()
