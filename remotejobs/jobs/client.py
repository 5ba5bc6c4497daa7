"""The jobs of one host, as one user: start, ask, wait, kill, list, clean. Each is one exchange over a `Connection`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from threading import Semaphore

from remotejobs.agent import request
from remotejobs.agent import response as protocol
from remotejobs.agent.request import Read, Request
from remotejobs.agent.response import Response, Section
from remotejobs.connections.base import (
    Become,
    Connection,
    KeepsShells,
    Milestone,
    PendingReply,
    Question,
    Reply,
    Stay,
    do_nothing,
)
from remotejobs.connections.host_words import BROKEN_OFF, words_of_host
from remotejobs.errors import ConnectionLost, ProtocolError, Unreachable
from remotejobs.model import LONGEST_GRACE, Job, Record, check_jid

EXCHANGE_TIMEOUT = 60.0  # seconds for an answer that needs no waiting
LONGEST_WAIT = 60  # seconds: what waits over there outlives a controller that went away, so it must not wait long


class PendingStatus:
    """A status that is asked for; its answer comes by `deadline`, of `time.monotonic()`, or not at all.

    For one thread at a time. `close` it unless it was over.
    """

    def __init__(
        self, reply: PendingReply, read: Callable[[Reply], tuple[Record, ...]], waits: Semaphore, deadline: float
    ) -> None:
        self.deadline = deadline
        self._reply = reply
        self._read = read
        self._waits: Semaphore | None = waits

    def is_over(self) -> bool:
        """Whether `records` need not wait. Raises `HostError`."""
        return self._reply.is_there()

    def records(self) -> tuple[Record, ...] | None:
        """As `HostJobs.status` returns and raises; None where the shell has ended: ask it anew."""
        try:
            reply = self._reply.reply()
            return self._read(reply) if reply else None
        finally:
            self.close()

    def close(self) -> None:
        """Somebody else may wait over this connection."""
        waits, self._waits = self._waits, None
        if waits:
            waits.release()


class HostJobs:
    """What can be done with jobs on one host.

    `directory` is where the jobs' directories lie over there: absolute, or with `~/` for the home of the user in
    passwd; empty means `~/.remotejobs`. Every method raises `HostError`: `Unreachable`, `BecomeFailed`,
    `ProtocolError`, and what is named at each. `slots` is held during every exchange that does not wait, `waits` by
    each that waits over there: a connection has few sessions, and a kill must find one free.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        become: Become | None = None,
        directory: str = "",
        slots: AbstractContextManager[object] | None = None,
        waits: Semaphore | None = None,
    ) -> None:
        self.host = connection.host
        self._slots = slots or nullcontext()
        self._waits = waits or Semaphore()
        self._connection = connection
        self._become = become
        self._become_user = become.user if become else ""
        self._directory = directory

    @property
    def keeps_shells(self) -> bool:
        """Whether `status_soon` can be had over this connection, though not at all times."""
        return isinstance(self._connection, KeepsShells)

    def _ask(
        self,
        asked: Request,
        *,
        extra_time: float = 0.0,
        milestone: Milestone | None = None,
        stay: Stay | None = None,
    ) -> Response:
        with self._slots if extra_time == 0 and milestone is None else nullcontext():
            pending = self._ask_staying(asked, stay, extra_time) if stay else None
            reply = (pending and pending.reply()) or self._connection.ask(
                replace(self._question(asked, asked.script, extra_time), milestone=milestone)
            )
        if not reply.complete and b"\n" + asked.begin + b"\n" in reply.stdout:
            said = words_of_host(asked.script, asked.secrets, reply.stderr)
            raise ConnectionLost(self.host, f"{BROKEN_OFF}{said and '; the host said: '}{said}")
        return Response(self.host, asked, reply.stdout, reply.stderr)

    def _question(self, asked: Request, script: bytes, extra_time: float) -> Question:
        return Question(
            script,
            end=asked.end + b"\n",
            timeout=EXCHANGE_TIMEOUT + extra_time,
            max_bytes=asked.max_bytes,
            become=self._become,
        )

    def _ask_staying(
        self, asked: Request, stay: Stay, extra_time: float, on_answer: Callable[[], None] = do_nothing
    ) -> PendingReply | None:
        text = asked.staying
        if text is None or not isinstance(self._connection, KeepsShells):
            return None
        question = self._question(asked, text.following, extra_time)
        return self._connection.ask_staying(stay, question, text.opening, on_answer)

    def _record(self, section: Section, job: Job | None = None) -> Record:
        error = protocol.error_of(self.host, section, job)
        if error:
            raise error
        return protocol.record_of(self.host, section, self._become_user)

    def _only(self, answer: Response, jid: str, job: Job | None = None) -> Record:
        for section in answer.sections(jid):
            return self._record(section, job)
        raise ProtocolError(self.host, f"the answer says nothing of job {jid}")

    def start(self, job: Job, *, wait: float = 0, on_start: Callable[[Record], None] | None = None) -> Record:
        """Start `job` detached, or attach to it when it is there: the same jid never runs twice.

        `attached` in the record says which. With `wait`, the same exchange goes on over there until the job ends, so
        many seconds, but at most 60, and not where the connection has too many waits already. `on_start` gets the first
        record as soon as the job is started. Raises `JobExists` when the jid belongs to another command, and
        `StartFailed` when it could not be run, in which case nothing was.
        """
        started: list[Record] = []
        seconds = min(math.ceil(wait), LONGEST_WAIT)
        waits = seconds > 0 and self._waits.acquire(blocking=False)
        try:
            with ExitStack() as slot:
                slot.enter_context(self._slots)

                def take(first: Record) -> None:
                    slot.close()  # waiting is not counted
                    if not started:
                        started.append(first)
                        if on_start:
                            on_start(first)

                return self._start(job, seconds if waits else 0, take, started)
        finally:
            if waits:
                self._waits.release()

    def _start(self, job: Job, wait: int, take: Callable[[Record], None], started: Sequence[Record]) -> Record:
        """`take` gets the record of the start, which is in `started` from then on."""
        asked = request.start(job, self._directory, wait)

        def reached(before: bytes) -> None:
            said = Response(self.host, asked, before + b"\n" + asked.end + b"\n", b"")
            take(self._only(said, job.jid, job))

        milestone = Milestone(request.milestone_of(asked, job.jid), reached)
        try:
            first, *later = self._ask(asked, extra_time=wait, milestone=milestone).sections(job.jid)
        except Unreachable:
            if started:  # it is started, and how it goes on can be asked later
                return started[0]
            raise
        if not started:
            take(self._record(first, job))
        if later and not later[-1].error:
            return replace(self._record(later[-1]), attached=started[0].attached)
        # A new one that ended before its start was answered: that answer has none of its output.
        return self.record(job.jid) if started[0].finished and not started[0].attached else started[0]

    def status(self, reads: Sequence[Read], *, wait: float = 0, stay: Stay | None = None) -> tuple[Record, ...]:
        """The records of several jobs, in order. With `wait`, first wait over there until one ends, so many seconds,
        but at most 60, or until the turn of a queued one comes; the records may therefore be of jobs that go on.
        `stay` keeps a shell there for the next status, where the connection can.

        Raises `JobNotFound` for the first that is not there.
        """
        for read in reads:
            check_jid(read.jid)
        with self._waiting(min(math.ceil(wait), LONGEST_WAIT)) as seconds:
            answer = self._ask(request.status(reads, self._directory, seconds), extra_time=seconds, stay=stay)
        return self._records(reads, answer)

    def status_soon(
        self, reads: Sequence[Read], *, wait: float, stay: Stay, on_answer: Callable[[], None]
    ) -> PendingStatus | None:
        """Ask as `status` does, and return while the host waits: `on_answer` is called, in any thread, when something
        of the answer has come. None where the shell of `stay` cannot be asked, and `status` has to be called."""
        for read in reads:
            check_jid(read.jid)
        if not self._waits.acquire(blocking=False):
            return None
        seconds, pending = min(math.ceil(wait), LONGEST_WAIT), None
        asked = request.status(reads, self._directory, seconds)
        try:
            pending = self._ask_staying(asked, stay, seconds, on_answer)
        finally:
            if pending is None:
                self._waits.release()
        if pending is None:
            return None

        def read_reply(reply: Reply) -> tuple[Record, ...]:
            return self._records(reads, Response(self.host, asked, reply.stdout, reply.stderr))

        return PendingStatus(pending, read_reply, self._waits, time.monotonic() + EXCHANGE_TIMEOUT + seconds)

    def _records(self, reads: Sequence[Read], answer: Response) -> tuple[Record, ...]:
        records = tuple(self._record(section) for section in answer.sections())
        if [record.jid for record in records] != [read.jid for read in reads]:
            raise ProtocolError(self.host, "the answer is not about the jobs that were asked for")
        return records

    @contextmanager
    def _waiting(self, seconds: int) -> Iterator[int]:
        """How long to wait over there: what is left once one of the connection's few waits was free."""
        since = time.monotonic()
        if not seconds or not self._waits.acquire(timeout=seconds):
            yield 0
            return
        try:
            yield max(0, seconds - math.floor(time.monotonic() - since))
        finally:
            self._waits.release()

    def record(self, jid: str, *, wait: float = 0) -> Record:
        """The record of one job with the last 64 KiB of its output. Raises `JobNotFound`."""
        return self.status([Read(jid)], wait=wait)[0]

    def whole(self, record: Record) -> Record:
        """A `record` that was read with less output: as it is while the job runs, with the last 64 KiB of an end."""
        cut = record.stdout_from or record.stderr_from
        return self.record(record.jid) if record.finished and cut else record

    def kill(self, jid: str, *, grace: int | None = None) -> Record:
        """End the job's whole process tree: TERM, `grace` seconds (the job's own by default), KILL, proof.

        Killing a job that has ended changes nothing and returns its record. Raises `JobNotFound`.
        """
        check_jid(jid)
        extra_time = float(LONGEST_GRACE if grace is None else grace)
        return self._only(self._ask(request.kill(jid, self._directory, grace), extra_time=extra_time), jid)

    def list(self) -> tuple[Record, ...]:
        """All jobs there, without command and output."""
        answer = self._ask(request.list_jobs(self._directory), extra_time=EXCHANGE_TIMEOUT)
        return tuple(self._record(section) for section in answer.sections())

    def clean(self, *, older_than: float, keep: int = 0, dry_run: bool = False) -> tuple[Record, ...]:
        """Remove the directories of jobs that ended over `older_than` seconds ago, but never the `keep` newest.

        Returns the records of those removed (with `dry_run`: of those that would be). A running job stays.
        """
        due = self._clean(older_than, keep, dry_run=True)
        if dry_run:
            return due
        removed = self._clean(older_than, keep, dry_run=False)
        # If the answer was lost and it was asked again, the host named only those that the second request removed.
        if unnamed := [record for record in due if record.jid not in {each.jid for each in removed}]:
            there = {record.jid for record in self.list()}
            removed += tuple(record for record in unnamed if record.jid not in there)
        return removed

    def _clean(self, older_than: float, keep: int, *, dry_run: bool) -> tuple[Record, ...]:
        asked = request.clean(self._directory, math.floor(older_than), keep, dry_run)
        answer = self._ask(asked, extra_time=4 * EXCHANGE_TIMEOUT)
        return tuple(self._record(section) for section in answer.sections())
