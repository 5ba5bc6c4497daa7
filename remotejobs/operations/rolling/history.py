"""What an update did on a host, as the host's own jobs report it: the controller keeps nothing.

Every step of an update leaves a job on the host, numbered, under a jid made of the update's id. The first one is a
note that runs nothing and is left before the host is taken out: it shows which update a host that is out belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from remotejobs.model import Record, State
from remotejobs.operations.balancers import Standing, standing_in
from remotejobs.text import one_line


class StepKind(StrEnum):
    """What a step does: only leave a note, bring the version wanted, bring the version before."""

    NOTE = "note"
    DEPLOY = "deploy"
    REVERT = "revert"


_JID = re.compile(r"rolling-(\d{1,6})-(note|deploy|revert)\.(.+)")
_LABEL = re.compile(r"(?:note|deploy|revert) (\S*), was (\S*?)(?:, found (\S+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStep:
    """One step on one host: it brings version `target`; `before` is what ran there when the update came, "" unknown.

    `found` is how the host then stood in its load balancer (`Standing.text`), "" where that does not say.
    """

    number: int
    kind: StepKind
    target: str
    before: str
    state: State = State.RUNNING
    found: str = ""

    @property
    def label(self) -> str:
        found = f", found {self.found}" if self.found else ""
        return f"{self.kind} {self.target}, was {self.before}{found}"

    def jid(self, update: str) -> str:
        """The name of its job; `update` is the update's id."""
        return f"rolling-{self.number}-{self.kind}.{update}"


@dataclass(frozen=True, slots=True)
class UpdateHistory:
    """The steps of one update on one host, oldest first."""

    steps: tuple[UpdateStep, ...] = ()

    @property
    def last(self) -> UpdateStep | None:
        return self.steps[-1] if self.steps else None

    @property
    def before(self) -> str:
        """The version that ran there before the update touched it; "" when that is not known."""
        return self.steps[0].before if self.steps else ""

    @property
    def found(self) -> Standing | None:
        """How the host stood in its load balancer before the update touched it; None when that is not known."""
        return standing_in(self.steps[0].found) if self.steps else None

    @property
    def touched(self) -> bool:
        """Whether anything was run there, beside leaving notes."""
        return any(step.kind is not StepKind.NOTE for step in self.steps)

    def next(self, kind: StepKind, target: str, before: str, found: Standing | None = None) -> UpdateStep:
        """The step to take now; `before` and `found` count only where the history does not know them."""
        if self.last is None:
            return UpdateStep(number=1, kind=kind, target=target, before=before, found=found.text if found else "")
        return UpdateStep(
            number=self.last.number + 1, kind=kind, target=target, before=self.before, found=self.steps[0].found
        )

    def then(self, step: UpdateStep) -> UpdateHistory:
        """The history with one more step, which was just left there."""
        return UpdateHistory((*self.steps, step))

    def open_step(self, kind: StepKind, target: str) -> UpdateStep | None:
        """The step that did, or still does, what is wanted: to be checked before anything is run again."""
        last = self.last
        if last and (last.kind, last.target) == (kind, target) and last.state in (State.RUNNING, State.SUCCEEDED):
            return last
        return None


def history_of(records: Iterable[Record], update: str) -> UpdateHistory:
    """The history among all jobs of a host; other jobs are passed over."""
    steps = [step for record in records if (step := _step(record, update))]
    return UpdateHistory(tuple(sorted(steps, key=lambda step: step.number)))


def _step(record: Record, update: str) -> UpdateStep | None:
    jid = _JID.fullmatch(record.jid)
    label = _LABEL.fullmatch(record.label)
    if not jid or jid[3] != update or not label:
        return None
    return UpdateStep(
        number=int(jid[1]),
        kind=StepKind(jid[2]),
        target=label[1],
        before=label[2],
        state=record.state,
        found=label[3] or "",
    )


def word(version: str) -> str:
    """A version as a host reported it, made fit for a label: one word, at most 60 characters."""
    return re.sub(r"[\s,]+", "-", one_line(version))[:60]
