"""One host of the live page, between two questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from remotejobs.agent.request import Read
from remotejobs.connections.base import Stay
from remotejobs.jobs.answers import PendingRecords
from remotejobs.model import State

_GLIMPSE_BYTES = 400  # of each stream of a job: enough for its last line
GLIMPSED = 20  # jobs of a host that are asked for their output at a time; more would be a long question


@dataclass(eq=False, slots=True)
class LiveHost:
    """It is asked next at `until` (of `time.monotonic()`), or when it is `awake`; `pause` is seconds between two times.

    One that did not answer, or whose connection does not call back, is `alone`: it is asked in a thread of its own, and
    is `apart` meanwhile. `going` are its jobs that have not ended.
    """

    name: str
    pause: float
    until: float = 0.0
    awake: bool = False
    alone: bool = False
    apart: bool = False
    going: Mapping[str, State] = field(default_factory=dict)
    stay: Stay = field(default_factory=Stay)
    pending: PendingRecords | None = None

    def close(self) -> None:
        """Nobody waits for it any more."""
        if self.pending:
            self.pending.close()
        self.pending = None
        self.stay.close()

    def due(self, at: float, *, was_apart: bool) -> float:
        """When it is its turn, which it would have `at` that time; what came while it was apart was not heard."""
        return 0.0 if (was_apart if self.pending else self.awake) else at


def glimpses(jids: Iterable[str]) -> list[Read]:
    """The last lines of some of these jobs."""
    return [Read(jid, max_bytes=_GLIMPSE_BYTES) for jid in islice(jids, GLIMPSED)]
