"""One of the two streams that a job writes: what to ask for, and where its last lines begin."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.agent.request import Read
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record

CHUNK_BYTES = 256 * 1024
NOTHING = 10**15  # an offset behind every end: bring nothing of that stream


@dataclass(frozen=True, slots=True)
class OutputStream:
    """Standard output of a job, or its standard error."""

    jid: str
    stderr: bool

    def read(self, at: int) -> Read:
        """The next chunk from byte `at` on."""
        out, err = (NOTHING, at) if self.stderr else (at, NOTHING)
        return Read(self.jid, out, err, CHUNK_BYTES)

    def of(self, record: Record) -> tuple[bytes, int]:
        """What was brought, and how many bytes there are."""
        return (record.stderr, record.stderr_bytes) if self.stderr else (record.stdout, record.stdout_bytes)


def start_of_tail(jobs: HostJobs, stream: OutputStream, lines: int) -> int:
    """The byte at which the last `lines` lines begin, as the stream is now; it is read backwards, chunk by chunk."""
    total = end = stream.of(jobs.status([stream.read(NOTHING)])[0])[1]
    while end > 0:
        start = max(0, end - CHUNK_BYTES)
        chunk = stream.of(jobs.status([stream.read(start)])[0])[0][: end - start]
        at = len(chunk)
        if end == total and chunk.endswith(b"\n"):
            at -= 1  # it ends the last line and begins none
        while (at := chunk.rfind(b"\n", 0, at)) >= 0:
            lines -= 1
            if lines == 0:
                return start + at + 1
        end = start
    return 0
