"""A job on a host that is not there: it runs nothing, and ends when its plan, a limit, a kill or the test says."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from remotejobs.fake.plan import Plan
from remotejobs.model import Job, State

EMPTY_TREE = "; its process tree is proven empty"


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended, and when by the host's clock; of a lost one no more than the cause is known."""

    at: float
    state: State
    rc: int | None = None
    signal: str = ""
    msg: str = ""
    cause: str = ""


@dataclass(slots=True)
class FakeJob:
    """Times are those of the host's clock."""

    job: Job
    settings: str
    directory: str
    plan: Plan
    pid: int
    began: float
    heard: float = 0.0
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    progress: str = ""
    end: End | None = None

    def __post_init__(self) -> None:
        self.write(self.plan.stdout, self.plan.stderr, self.plan.progress, at=self.began)

    def write(self, stdout: str = "", stderr: str = "", progress: str = "", *, at: float) -> None:
        self.heard = at
        self.stdout += stdout.encode()
        self.stderr += stderr.encode()
        self.progress = progress or self.progress

    def named(self, name: str) -> bool:
        return name in (self.job.jid, self.job.label)

    def coming(self) -> End | None:
        """The end that it runs towards; None where only the test can end it."""
        ends = []
        if self.plan.lasts is not None and math.isfinite(self.plan.lasts):
            ends.append(by_itself(self.began + self.plan.lasts, self.plan.rc, self.plan.signal))
        if self.job.limit:
            ends.append(_by_limit(self.began + self.job.limit, State.TIMED_OUT, _over(self.job.limit)))
        if self.job.stall:
            ends.append(_by_limit(self.heard + self.job.stall, State.STALLED, f"no output for {self.job.stall} s"))
        return min(ends, key=lambda end: end.at, default=None)

    def settle(self, now: float) -> bool:
        """Whether it has ended by now."""
        if self.end is None and (end := self.coming()) and end.at <= now:
            self.end = end
        return self.end is not None

    def kill(self, now: float) -> None:
        if not self.settle(now):
            self.end = _by_limit(now, State.KILLED, "killed on request")


def by_itself(at: float, rc: int, signal: str = "") -> End:
    return End(at, State.SUCCEEDED if rc == 0 else State.FAILED, rc, signal)


def lost(at: float, cause: str) -> End:
    return End(at, State.LOST, msg=_LOST[cause], cause=cause)


def _by_limit(at: float, state: State, why: str) -> End:
    return End(at, state, 143, "TERM", why + EMPTY_TREE)


def _over(limit: int) -> str:
    return f"time limit of {limit} s exceeded"


_LOST = {
    "rebooted": "the host was rebooted while the job ran",
    "gone": "its supervising process is gone; the command runs no more and its rc is not known",
    "disk_full": "the command ended, but its result could not be written: disk full",
}
