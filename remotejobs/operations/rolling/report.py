"""What became of each host, and what became of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from remotejobs.text import duration


class UpdateOutcome(StrEnum):
    """How a host ended up."""

    UPDATED = "updated"
    EARLIER = "updated earlier"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    REVERTED = "reverted"
    NOT_REVERTED = "revert failed"
    NOT_STARTED = "not started"
    LEFT_OUT = "left out"

    @property
    def good(self) -> bool:
        return self in (UpdateOutcome.UPDATED, UpdateOutcome.EARLIER, UpdateOutcome.REVERTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """One row of the table. Versions are "" and times (seconds) None where unknown or not come to.

    `found`: how it stood in the balancer before; `kept`: it was out then, and is as it was found. `out`: it stays out
    of the load balancer. `touched`: something was run there. `left`: connections at the end of the drain. `again`: how
    often it had to be taken out again.
    """

    host: str
    outcome: UpdateOutcome
    batch: str = ""
    before: str = ""
    after: str = ""
    drain: float | None = None
    left: int | None = None
    deploy: float | None = None
    health: float | None = None
    again: int = 0
    found: str = ""
    kept: bool = False
    out: bool = False
    touched: bool = False
    reason: str = ""

    @property
    def failed(self) -> bool:
        return not self.outcome.good and self.outcome not in (UpdateOutcome.NOT_STARTED, UpdateOutcome.LEFT_OUT)

    @property
    def ending(self) -> str:
        """Its outcome, and where it is now if that is not where it should be."""
        place = (
            f", {self.found} as it was found" if self.kept else ", stays out of the load balancer" if self.out else ""
        )
        return f"{self.outcome}{place}{f', was drained again ({self.again})' if self.again else ''}"

    @property
    def said(self) -> str:
        """Its ending with the reason."""
        return f"{self.ending}: {self.reason}" if self.reason else self.ending

    def row(self) -> dict[str, str]:
        drained = duration(self.drain)
        return {
            "host": self.host,
            "state": self.ending,
            "reason": self.reason,
            "batch": self.batch,
            "found": self.found,
            "version before": self.before,
            "version after": self.after,
            "drain": f"{drained} ({self.left} left)" if drained and self.left else drained,
            "deploy": duration(self.deploy),
            "health": duration(self.health),
        }


def summary(reports: Sequence[HostReport]) -> str:
    """`3 updated, 1 failed`, and one line for each host that is not as it should be."""
    counts = {outcome: sum(report.outcome is outcome for report in reports) for outcome in UpdateOutcome}
    head = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    named = [report for report in reports if report.failed or report.out or report.kept]
    return "\n".join([head, *(f"{report.host}: {report.said}" for report in named)])
