"""Waiting for jobs of a simulated host: when something is to be said, and whom to wake then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from remotejobs.connections.base import Reply
from remotejobs.jobs.turns import Turns
from remotejobs.testing.job import FakeJob
from remotejobs.testing.line import settle


class Waiting:
    """Until one of `wanted` ends, is not there, or its turn comes, or until `deadline`; `jobs` are all of its user."""

    def __init__(
        self, jobs: Mapping[str, FakeJob], wanted: Sequence[FakeJob | None], deadline: float, breaks: int
    ) -> None:
        self.deadline = deadline
        self.breaks = breaks  # of connections, when it began
        self._jobs = jobs
        self._wanted = wanted
        self._queued = [job for job in wanted if job and job.is_queued]

    def due(self, now: float) -> tuple[float, bool]:
        """When it is over, if the test does nothing, by the clock of the host; and whether it waits for the test."""
        settle(self._jobs.values(), now)
        left = [job for job in self._wanted if job and not job.end]
        turned = not all(job.is_queued for job in self._queued)
        if len(left) < len(self._wanted) or turned or now >= self.deadline:
            return now, False
        if self._queued:  # what they wait for may end first
            left = [job for job in self._jobs.values() if not job.end]
        due = min([self.deadline, *(end.at for job in left if (end := job.coming()))])
        return due, not _is_planned(left)


def _is_planned(jobs: list[FakeJob]) -> bool:
    """Whether one ends without the test; of one that is queued the test decides where it does of one that runs."""
    by_test = any(job.plan.lasts is None and not job.is_queued for job in jobs)
    return any(job.coming() and not (by_test if job.is_queued else job.plan.lasts is None) for job in jobs)


class FakePending:
    """Implements `remotejobs.connections.base.PendingReply`; it is in `under_way` until nobody waits for it any more.

    `due_in` is seconds until there is an answer, as far as is known; none, where there is one.
    """

    def __init__(
        self,
        due_in: Callable[[], float],
        answer: Callable[[], Reply],
        on_answer: Callable[[], None],
        under_way: set[FakePending],
    ) -> None:
        self._due_in = due_in
        self._answer = answer
        self._on_answer = on_answer
        self._under_way = under_way
        under_way.add(self)
        self.wake()

    def wake(self) -> None:
        """Call the one that waits if it is over by now; else be called when it will be."""
        due = self._due_in()
        if due <= 0:
            self._on_answer()
        else:
            _ALARMS.put(self, time.monotonic() + due)

    def is_there(self) -> bool:
        return self._due_in() <= 0

    def reply(self) -> Reply:
        self.close()
        return self._answer()

    def close(self) -> None:
        self._under_way.discard(self)
        _ALARMS.drop(self)


_ALARMS: Turns[FakePending] = Turns(FakePending.wake, threads=1, name="simulated hosts")
