"""The jobs of one host, as one user: start, ask, wait, kill, list, clean. Each is one exchange over a `Connection`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from threading import Semaphore

from remotejobs.agent import request
from remotejobs.agent.request import Read, Request
from remotejobs.agent.response import Response
from remotejobs.connections.base import (
    Answered,
    Become,
    CallsBack,
    Connection,
    PendingReply,
    Question,
    Stay,
    do_nothing,
)
from remotejobs.errors import ProtocolError, Unreachable
from remotejobs.jobs.answers import Answers, PendingRecords
from remotejobs.jobs.start import Start
from remotejobs.model import LONGEST_GRACE, Job, Record, check_jid

EXCHANGE_TIMEOUT = 60.0  # seconds for an answer that needs no waiting
LONGEST_WAIT = 60  # seconds: what waits over there outlives a controller that went away, so it must not wait long


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
        self._answers = Answers(connection.host, become.user if become else "")
        self._directory = directory

    @property
    def calls_back(self) -> bool:
        """Whether no thread need wait for this host; where not, `start_soon` waits, and there is no `status_soon`."""
        return isinstance(self._connection, CallsBack)

    def _ask(
        self, asked: Request, *, extra_time: float = 0.0, stay: Stay | None = None, counted: bool = True
    ) -> Response:
        with self._slots if counted else nullcontext():
            pending = self._ask_staying(asked, stay, extra_time) if stay else None
            reply = (pending and pending.reply()) or self._connection.ask(
                self._question(asked, asked.script, extra_time)
            )
        return self._answers.response(asked, reply)

    def _question(self, asked: Request, script: bytes, extra_time: float) -> Question:
        return Question(
            script,
            end=asked.end + b"\n",
            timeout=EXCHANGE_TIMEOUT + extra_time,
            max_bytes=asked.max_bytes,
            become=self._become,
        )

    def _ask_soon(self, question: Question, on_answer: Callable[[], None]) -> PendingReply:
        if isinstance(self._connection, CallsBack):
            return self._connection.ask_soon(question, on_answer)
        return Answered(self._connection.ask(question))

    def _ask_staying(
        self, asked: Request, stay: Stay, extra_time: float, on_answer: Callable[[], None] = do_nothing
    ) -> PendingReply | None:
        text = asked.staying
        if text is None or not isinstance(self._connection, CallsBack):
            return None
        question = self._question(asked, text.following, extra_time)
        return self._connection.ask_staying(stay, question, text.opening, on_answer)

    def start(self, job: Job, *, wait: float = 0, on_start: Callable[[Record], None] | None = None) -> Record:
        """Start `job` detached, or attach to it when it is there: the same jid never runs twice.

        `attached` in the record says which. With `wait`, the same exchange goes on over there until the job ends, so
        many seconds, but at most 60, and not where the connection has too many waits already. `on_start` gets the first
        record as soon as the job is started. Raises `JobExists` when the jid belongs to another command, and
        `StartFailed` when it could not be run, in which case nothing was.
        """
        records = self.start_soon(job, wait=wait, on_start=on_start).records()
        assert records
        return records[0]

    def start_soon(
        self,
        job: Job,
        *,
        wait: float = 0,
        on_start: Callable[[Record], None] | None = None,
        on_answer: Callable[[], None] = do_nothing,
    ) -> PendingRecords:
        """Start as `start` does, and return once it is started, while the host waits: `on_answer` is called, in any
        thread, when something more of the answer has come.

        The one record comes also where the host was lost meanwhile: then that of the start.
        """
        seconds = min(math.ceil(wait), LONGEST_WAIT)
        waits = self._waits if seconds > 0 and self._waits.acquire(blocking=False) else None
        seconds = seconds if waits else 0
        asked = request.start(job, self._directory, seconds)
        start = Start(job, asked, self._answers, on_start)
        question = replace(self._question(asked, asked.script, seconds), milestone=start.milestone)
        pending: PendingReply
        with ExitStack() as undone:
            if waits:
                undone.callback(waits.release)
            try:
                with start.counted(self._slots):
                    pending = self._ask_soon(question, on_answer)
            except (Unreachable, ProtocolError) as exc:
                if not start.first:
                    raise
                pending = Answered(exc)
            undone.pop_all()

        def read(pending: PendingReply) -> tuple[Record, ...]:
            try:
                reply = pending.reply()
                assert reply
                record = start.record(reply)
            except (Unreachable, ProtocolError):
                if not start.first:
                    raise
                record = start.first  # it is started, and how it goes on can be asked later
            return (record or self.record(job.jid),)

        return PendingRecords(pending, read, waits, time.monotonic() + EXCHANGE_TIMEOUT + seconds)

    def status(self, reads: Sequence[Read], *, wait: float = 0, stay: Stay | None = None) -> tuple[Record, ...]:
        """The records of several jobs, in order. With `wait`, first wait over there until one ends, so many seconds,
        but at most 60, or until the turn of a queued one comes; the records may therefore be of jobs that go on.
        `stay` keeps a shell there for the next status, where the connection can.

        Raises `JobNotFound` for the first that is not there.
        """
        for read in reads:
            check_jid(read.jid)
        with self._waiting(min(math.ceil(wait), LONGEST_WAIT)) as seconds:
            asked = request.status(reads, self._directory, seconds)
            answer = self._ask(asked, extra_time=seconds, stay=stay, counted=not seconds)
        return self._answers.of(reads, answer)

    def status_soon(
        self, reads: Sequence[Read], *, wait: float, stay: Stay, on_answer: Callable[[], None]
    ) -> PendingRecords | None:
        """Ask as `status` does, and return while the host waits; `on_answer` is called as that of `start_soon`. None
        where the shell of `stay` cannot be asked, and `status` has to be called."""
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

        def records_in(pending: PendingReply) -> tuple[Record, ...] | None:
            reply = pending.reply()
            return self._answers.of(reads, self._answers.response(asked, reply)) if reply else None

        return PendingRecords(pending, records_in, self._waits, time.monotonic() + EXCHANGE_TIMEOUT + seconds)

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
        """A `record` that was read with less output: as it is while the job runs, with the last 64 KiB of an end.

        It needs none of `slots`: hosts that hang may have them all, and an end is to be known at once.
        """
        if not (record.finished and (record.stdout_from or record.stderr_from)):
            return record
        reads = [Read(record.jid)]
        return self._answers.of(reads, self._ask(request.status(reads, self._directory, 0), counted=False))[0]

    def kill(self, jid: str, *, grace: int | None = None) -> Record:
        """End the job's whole process tree: TERM, `grace` seconds (the job's own by default), KILL, proof.

        Killing a job that has ended changes nothing and returns its record. Raises `JobNotFound`.
        """
        check_jid(jid)
        extra_time = float(LONGEST_GRACE if grace is None else grace)
        asked = request.kill(jid, self._directory, grace)
        answer = self._ask(asked, extra_time=extra_time, counted=not extra_time)
        return self._answers.first(answer, jid)

    def list(self) -> tuple[Record, ...]:
        """All jobs there, without command and output."""
        answer = self._ask(request.list_jobs(self._directory), extra_time=EXCHANGE_TIMEOUT, counted=False)
        return tuple(self._answers.record(section) for section in answer.sections())

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
        answer = self._ask(asked, extra_time=4 * EXCHANGE_TIMEOUT, counted=False)
        return tuple(self._answers.record(section) for section in answer.sections())
