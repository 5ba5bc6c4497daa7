"""How many hosts may fail, and how many must be healthy: numbers and percentages."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

Amount = int | str
_AMOUNT = re.compile(r"(\d{1,9})(%?)")


def amount_of(amount: Amount, total: int, *, round_up: bool = False) -> int:
    """How many of `total` 2, "2" or "25%" means; rounded down unless said otherwise. `ValueError` for other words."""
    match = _AMOUNT.fullmatch(str(amount).strip())
    if not match:
        raise ValueError(f"{amount!r} is neither a whole number nor a percentage")
    number = int(match[1])
    if not match[2]:
        return number
    return (total * number + (99 if round_up else 0)) // 100


class Budget(BaseModel):
    """How many failed hosts are borne. Unreachable ones count; one more than allowed stops the update."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_batch: Amount = Field(default="100%", description="Hosts of one batch that may fail: 1 or 25% (rounded down).")
    in_all: Amount = Field(default=0, description="Hosts of the whole update that may fail: 1 or 25% (rounded down).")

    @field_validator("per_batch", "in_all")
    @classmethod
    def _amount(cls, amount: Amount) -> Amount:
        amount_of(amount, 1)
        return amount

    def exceeded(self, *, failed: int, total: int, failed_in_batch: int, batch: int) -> str:
        """Why the update must stop, or "" while it may go on. `batch` and `total` are numbers of hosts."""
        if failed_in_batch > (allowed := amount_of(self.per_batch, batch)):
            return f"{failed_in_batch} of {batch} hosts of the batch failed, {allowed} may"
        if failed > (allowed := amount_of(self.in_all, total)):
            return f"{failed} of {total} hosts failed, {allowed} may"
        return ""
