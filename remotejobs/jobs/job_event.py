"""What is reported of jobs that are waited for."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.errors import RemoteJobsError
from remotejobs.model import Record


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What changed for one job: its start, its end, its host unreachable or reachable again, or why it cannot be known.

    `record` is of the start (`started`), of the end (with the last 64 KiB of output), of a job that runs on a host that
    is reachable again (`returned`), of one whose turn came, or a glimpse of a running one. `error` is the last event of
    the job, unless the host is `asked_again`: it is `Unreachable`, or `ProtocolError` where it gave no answer that is
    understood about any of its jobs.
    """

    host: str
    jid: str
    record: Record | None = None
    error: RemoteJobsError | None = None
    started: bool = False
    returned: bool = False
    asked_again: bool = False

    @property
    def is_last(self) -> bool:
        return self.record.finished and not self.started if self.record else not self.asked_again
