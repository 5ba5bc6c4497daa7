"""What a host answered about its jobs, as records of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Semaphore

from remotejobs.agent import response as protocol
from remotejobs.agent.request import Read, Request
from remotejobs.agent.response import Response, Section
from remotejobs.connections.base import PendingReply, Reply
from remotejobs.connections.host_words import BROKEN_OFF, words_of_host
from remotejobs.errors import ConnectionLost, ProtocolError
from remotejobs.model import Job, Record


@dataclass(frozen=True, slots=True)
class Answers:
    """Reads the answers of one host, which was asked as one user ("": the one who logs in)."""

    host: str
    become_user: str

    def response(self, asked: Request, reply: Reply) -> Response:
        """The answer to `asked`, which has to be whole. Raises `ConnectionLost`."""
        if not reply.complete and b"\n" + asked.begin + b"\n" in reply.stdout:
            said = words_of_host(asked.script, asked.secrets, reply.stderr)
            raise ConnectionLost(self.host, f"{BROKEN_OFF}{said and '; the host said: '}{said}")
        return Response(self.host, asked, reply.stdout, reply.stderr)

    def record(self, section: Section, job: Job | None = None) -> Record:
        """Raises the error that the host answered in place of a record."""
        error = protocol.error_of(self.host, section, job)
        if error:
            raise error
        return protocol.record_of(self.host, section, self.become_user)

    def first(self, answer: Response, jid: str, job: Job | None = None) -> Record:
        """The first record of an answer about one job."""
        for section in answer.sections(jid):
            return self.record(section, job)
        raise ProtocolError(self.host, f"the answer says nothing of job {jid}")

    def of(self, reads: Sequence[Read], answer: Response) -> tuple[Record, ...]:
        """The records of the jobs that were asked for, in order."""
        records = tuple(self.record(section) for section in answer.sections())
        if [record.jid for record in records] != [read.jid for read in reads]:
            raise ProtocolError(self.host, "the answer is not about the jobs that were asked for")
        return records


class PendingRecords:
    """Records that are asked for. Their answer comes by `deadline`, of `time.monotonic()`, or not at all.

    For one thread at a time. `close` it unless `records` was called. Meanwhile it has one of `waits`.
    """

    def __init__(
        self,
        reply: PendingReply,
        read: Callable[[PendingReply], tuple[Record, ...] | None],
        waits: Semaphore | None,
        deadline: float,
    ) -> None:
        self.deadline = deadline
        self._reply = reply
        self._read = read
        self._waits = waits

    def is_over(self) -> bool:
        """Whether `records` need not wait. Raises `HostError`."""
        return self._reply.is_there()

    def records(self) -> tuple[Record, ...] | None:
        """As the method of `HostJobs` that asked for them says; None where the shell has ended: ask anew."""
        try:
            return self._read(self._reply)
        finally:
            self.close()

    def close(self) -> None:
        """Somebody else may wait over this connection."""
        self._reply.close()
        waits, self._waits = self._waits, None
        if waits:
            waits.release()
