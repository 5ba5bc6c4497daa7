"""One start, from its question to what became of the job within it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace

from remotejobs.agent import request
from remotejobs.agent.request import Request
from remotejobs.agent.response import Response
from remotejobs.connections.base import Milestone, Reply
from remotejobs.jobs.answers import Answers
from remotejobs.model import Job, Record


@dataclass(slots=True)
class Start:
    """`first` is the record of the start, from when the host has said it; `on_start` gets it then."""

    job: Job
    asked: Request
    answers: Answers
    on_start: Callable[[Record], None] | None
    first: Record | None = None
    _slot: ExitStack = field(default_factory=ExitStack)

    def counted(self, slots: AbstractContextManager[object]) -> ExitStack:
        """One of `slots` is taken until the job is started: the waiting behind it is not counted."""
        self._slot.enter_context(slots)
        return self._slot

    @property
    def milestone(self) -> Milestone:
        return Milestone(request.milestone_of(self.asked, self.job.jid), self._reached)

    def record(self, reply: Reply) -> Record | None:
        """What became of it, by the whole answer.

        None for a new job that ended before its start was answered: that answer has none of its output.
        """
        said, *later = self.answers.response(self.asked, reply).sections(self.job.jid)
        first = self.first or self._take(self.answers.record(said, self.job))
        if later and not later[-1].error:
            last = self.answers.record(later[-1])
            return replace(last, attached=True) if first.attached else last
        return None if first.finished and not first.attached else first

    def _reached(self, before: bytes) -> None:
        said = Response(self.answers.host, self.asked, before + b"\n" + self.asked.end + b"\n", b"")
        self._take(self.answers.first(said, self.job.jid, self.job))

    def _take(self, first: Record) -> Record:
        self._slot.close()
        self.first = first
        if self.on_start:
            self.on_start(first)
        return first
