"""A job on a host that is not there: it runs nothing, and ends when its plan, a timeout, a kill or the test says."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from remotejobs.agent.request import wants_of
from remotejobs.model import Job, State
from remotejobs.testing.plan import Plan

EMPTY_TREE = "; its process tree is proven empty"


@dataclass(frozen=True, slots=True)
class PlannedEnd:
    """How a job ended, and when by the host's clock; of a lost one no more than the cause is known."""

    at: float
    state: State
    rc: int | None = None
    signal: str = ""
    msg: str = ""
    cause: str = ""


@dataclass(slots=True)
class FakeJob:
    """Times are those of the host's clock; `began` is None while it is queued; `waits_for` says for what."""

    job: Job
    settings: str
    directory: str
    plan: Plan
    pid: int
    arrived: float
    began: float | None = None
    waits_for: str = ""
    place: int = 0
    heard: float = 0.0
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    progress: str = ""
    end: PlannedEnd | None = None

    @property
    def wants(self) -> list[tuple[str, int]]:
        """The names that it waits for, each with how many jobs that want it may run at once."""
        words = (word.rpartition("=") for word in wants_of(self.job).split())
        return [(name, int(most)) for name, _, most in words]

    @property
    def is_queued(self) -> bool:
        return self.began is None and self.end is None

    @property
    def state(self) -> State:
        if self.end:
            return self.end.state
        return State.QUEUED if self.is_queued else State.RUNNING

    def begin(self, at: float) -> None:
        """Its turn has come."""
        self.began = at
        self.write(self.plan.stdout, self.plan.stderr, self.plan.progress, at=at)

    def write(self, stdout: str = "", stderr: str = "", progress: str = "", *, at: float) -> None:
        self.heard = at
        self.stdout += stdout.encode()
        self.stderr += stderr.encode()
        self.progress = progress or self.progress

    def named(self, name: str) -> bool:
        return name in (self.job.jid, self.job.label)

    def coming(self) -> PlannedEnd | None:
        """The end that it runs towards; None where only the test can end it."""
        if self.began is None:
            return self._kept_too_long()
        ends = []
        if self.plan.lasts is not None and math.isfinite(self.plan.lasts):
            ends.append(by_itself(self.began + self.plan.lasts, self.plan.rc, self.plan.signal))
        if self.job.timeout:
            ends.append(_by_timeout(self.began + self.job.timeout, State.TIMED_OUT, _over(self.job.timeout)))
        if self.job.idle_timeout:
            ends.append(
                _by_timeout(
                    self.heard + self.job.idle_timeout, State.STALLED, f"no output for {self.job.idle_timeout} s"
                )
            )
        return min(ends, key=lambda end: end.at, default=None)

    def _kept_too_long(self) -> PlannedEnd | None:
        if not self.job.queue_timeout:
            return None
        msg = f"queue timeout of {self.job.queue_timeout} s exceeded: it waited for {self.waits_for}"
        return PlannedEnd(
            self.arrived + self.job.queue_timeout, State.TIMED_OUT, msg=f"{msg}; the command was never started"
        )

    def settle(self, now: float) -> bool:
        """Whether it has ended by now."""
        if self.end is None and (end := self.coming()) and end.at <= now:
            self.end = end
        return self.end is not None

    def kill(self, now: float) -> None:
        if self.is_queued:
            self.end = PlannedEnd(now, State.KILLED, msg=_DEQUEUED)
        elif not self.settle(now):
            self.end = _by_timeout(now, State.KILLED, "killed on request")

    def reboot(self, now: float) -> None:
        self.end = lost(now, "never" if self.is_queued else "rebooted")


def by_itself(at: float, rc: int, signal: str = "") -> PlannedEnd:
    return PlannedEnd(at, State.SUCCEEDED if rc == 0 else State.FAILED, rc, signal)


def lost(at: float, cause: str) -> PlannedEnd:
    return PlannedEnd(at, State.LOST, msg=_LOST[cause], cause=cause)


def _by_timeout(at: float, state: State, why: str) -> PlannedEnd:
    return PlannedEnd(at, state, 143, "TERM", why + EMPTY_TREE)


def _over(timeout: int) -> str:
    return f"time limit of {timeout} s exceeded"


_DEQUEUED = "killed on request while it was queued: nothing was run, and now nothing can be"
_LOST = {
    "never": "the host was rebooted while the job was queued: the command was not run; start it again",
    "rebooted": "the host was rebooted while the job ran",
    "gone": "its supervising process is gone; the command runs no more and its rc is not known",
    "disk_full": "the command ended, but its result could not be written: disk full",
}
