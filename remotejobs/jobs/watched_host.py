"""One host of a watch, and what its jobs are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from remotejobs.agent.request import Read
from remotejobs.connections.base import Stay
from remotejobs.errors import ProtocolError, RemoteJobsError, Unreachable
from remotejobs.jobs.answers import PendingRecords
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.job_event import JobEvent
from remotejobs.jobs.wait import GLIMPSE_BYTES
from remotejobs.model import Record


@dataclass(eq=False, slots=True)
class WatchedHost:
    """A host and its jobs that have not ended; `jobs` is the way to them, once it is known.

    It is `apart` while it has a thread of its own, or waits for one in which it is asked first.
    """

    name: str
    jids: list[str]
    apart: bool = False
    stay: Stay = field(default_factory=Stay)
    jobs: HostJobs | None = None
    pending: PendingRecords | None = None
    waited: float = 0.0  # seconds of its last wait
    wait_apart: float = 0.0  # seconds of its next wait in a thread of its own; none, if only its connection has to open

    def close(self) -> None:
        """Nobody waits for it any more."""
        if self.pending:
            self.pending.close()
        self.pending = None
        self.stay.close()

    def reads(self) -> list[Read]:
        return [Read(jid, max_bytes=GLIMPSE_BYTES) for jid in self.jids]

    def take(self) -> list[JobEvent] | None:
        """What the pending answer says, once it is there. None where the shell that stays has ended."""
        assert self.pending
        pending, self.pending = self.pending, None
        records = pending.records()
        return None if records is None else _understood(self._events(records))

    def poll(self, wait: float) -> list[JobEvent]:
        """Wait over there until one of its jobs ends. One that cannot be read hides no other.

        Raises `Unreachable`, and `ProtocolError` where none can be read: then it may be the host that is not
        understood at the moment, and not the job.
        """
        return _understood(self._poll(self.reads(), wait))

    def _poll(self, reads: Sequence[Read], wait: float) -> list[JobEvent]:
        assert self.jobs
        try:
            records = self.jobs.status(reads, wait=wait, stay=self.stay)
        except Unreachable:
            raise
        except RemoteJobsError as exc:
            if len(reads) == 1:
                return [JobEvent(self.name, reads[0].jid, error=exc)]
            return [news for read in reads for news in self._poll([read], 0)]
        return self._events(records)

    def _events(self, records: Sequence[Record]) -> list[JobEvent]:
        assert self.jobs
        seen = []
        for record in records:
            try:
                seen.append(JobEvent(self.name, record.jid, record=self.jobs.whole(record)))
            except Unreachable:
                raise
            except RemoteJobsError as exc:
                seen.append(JobEvent(self.name, record.jid, error=exc))
        return seen


def _understood(seen: list[JobEvent]) -> list[JobEvent]:
    """The same, unless all say that the host was not understood. Raises that `ProtocolError`."""
    errors = [each.error for each in seen if isinstance(each.error, ProtocolError)]
    if errors and len(errors) == len(seen):
        raise errors[0]
    return seen
