"""One host that is not there: it answers as `job.sh` would, over a connection that fails on demand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Condition

from remotejobs.connections.base import Answered, PendingReply, Question, Reply, Stay, do_nothing
from remotejobs.errors import ConnectionLost, ConnectionRefused, HostError, ProtocolError, TimedOut
from remotejobs.model import TAIL_BYTES
from remotejobs.testing import answer as answers
from remotejobs.testing.clock import Clock
from remotejobs.testing.job import FakeJob
from remotejobs.testing.line import settle
from remotejobs.testing.plan import Planner
from remotejobs.testing.request import Call, ScriptRequest, Start, asked_in, base_of
from remotejobs.testing.waiting import FakePending, Waiting

FIRST_PID = 4242
LOGIN = "deploy"
GLIMPSE_BYTES = 4096  # what a start brings of a job that runs on
BROKEN = "the connection ended in the middle of an answer"

Say = Callable[[str, str], tuple[int, str]]  # of a host's name and a script: exit code and output


class FakeHost:
    """A host and its connection in one. `latency` is seconds that each answer takes."""

    __slots__ = (
        "_breaks", "_changed", "_clock", "_cut", "_deaf", "_jobs", "_on_start", "_pending", "_plan", "_real_time",
        "_say", "host", "latency",
    )  # fmt: skip

    def __init__(
        self, name: str, *, plan: Planner, say: Say, on_start: Callable[[], None], real_time: bool, latency: float
    ) -> None:
        self.host = name
        self.latency = latency
        self._on_start = on_start
        self._plan = plan
        self._say = say
        self._real_time = real_time
        self._clock = Clock()
        self._changed = Condition()
        self._jobs: dict[str, dict[str, FakeJob]] = {}  # by directory, as each user has one
        self._cut: tuple[type[HostError], str] | None = None
        self._deaf = 0
        self._pending: set[FakePending] = set()
        self._breaks = 0  # how often all connections broke

    # --- what the test does to it ---

    def unreachable(self, kind: type[HostError] = ConnectionRefused, message: str = "nothing listens there") -> None:
        """From now on it cannot be asked, or is not understood (`ProtocolError`); waiting callers lose the connection.

        Its jobs run on.
        """
        with self._changed:
            self._cut = (kind, message)
            self._break()

    def reachable(self) -> None:
        """It can be asked again."""
        with self._changed:
            self._cut = None

    def reboot(self) -> None:
        """Connections break, and what ran is lost."""
        with self._changed:
            now = self._clock.now()
            for job in self._left():
                job.reboot(now)
            self._break()

    def lose_answers(self, count: int = 1) -> None:
        """So many of the next requests are carried out, but their answers do not arrive."""
        with self._changed:
            self._deaf = count

    def change(self, act: Callable[[FakeJob, float], None], name: str) -> int:
        """`act` on every running job whose jid or label is `name`, with the time; how many these were."""
        with self._changed:
            named = [job for job in self._left() if job.named(name) and not job.is_queued]
            for job in named:
                act(job, self._clock.now())
            self._notify()
            return len(named)

    def jobs(self) -> tuple[FakeJob, ...]:
        """All jobs there, as they are now."""
        with self._changed:
            now = self._clock.now()
            for jobs in self._jobs.values():
                settle(jobs.values(), now)
            return tuple(job for jobs in self._jobs.values() for job in jobs.values())

    def _left(self) -> list[FakeJob]:
        """What has not ended."""
        return [job for job in self.jobs() if not job.end]

    def _notify(self) -> None:
        """Wake all that wait."""
        self._changed.notify_all()
        for pending in tuple(self._pending):
            pending.wake()

    def _break(self) -> None:
        self._breaks += 1
        self._notify()

    # --- the connection ---

    def ask(self, question: Question) -> Reply:
        """See `remotejobs.connections.base.Connection.ask`."""
        return self.ask_soon(question).reply()

    def ask_soon(self, question: Question, on_answer: Callable[[], None] = do_nothing) -> FakePending | Answered:
        """See `remotejobs.connections.base.CallsBack.ask_soon`."""
        asked = asked_in(question.script)
        if not isinstance(asked, Call) or asked.words[0] != "rj_start":
            return Answered(self._answer_to(question, asked))
        self._travel(question.timeout)
        with self._changed:
            self._check_cut()
            base, jobs = self._jobs_of(asked, question)
            job, body = self._start(jobs, base, Start.of(asked.words[1:]))
            if not job or not (job.end or asked.wait):
                return Answered(self._reply(question, asked, body))
            if question.milestone:
                question.milestone.reached(b"\n%b\n%b" % (asked.begin, body.removesuffix(b"\n")))
            waiting = Waiting(jobs, [job], self._clock.now() + asked.wait, self._breaks)
        question = replace(question, script=b"")  # it is long, and not needed any more

        def answer() -> Reply:
            with self._changed:
                self._await(waiting)
                again = answers.section(f"{job.job.jid} {asked.begin.rpartition(b' ')[2].decode()}")
                end = answers.full(job, self._clock, -1, -1, TAIL_BYTES if job.end else GLIMPSE_BYTES)
                return self._reply(question, asked, body + again + end)

        return FakePending(lambda: self._due_in(waiting), answer, on_answer, self._pending)

    def ask_staying(
        self,
        stay: Stay,  # noqa: ARG002 - nothing is kept: what it answers by has not to be read again
        question: Question,
        opening: Callable[[], bytes],  # noqa: ARG002
        on_answer: Callable[[], None] = do_nothing,
    ) -> PendingReply | None:
        """See `remotejobs.connections.base.CallsBack.ask_staying`."""
        asked = asked_in(question.script)
        assert isinstance(asked, Call)
        wait, *reads = asked.words[2:]
        with self._changed:
            if self._cut:
                return None
            _, jobs = self._jobs_of(asked, question)
            wanted = [jobs.get(jid) for jid in reads[::4]] if int(wait) else [None]
            waiting = Waiting(jobs, wanted, self._clock.now() + int(wait), self._breaks)

        def answer() -> Reply:
            if self._breaks != waiting.breaks:
                raise ConnectionLost(self.host, BROKEN)
            left = max(0, math.ceil(waiting.deadline - self._clock.now()))
            return self._answer_to(question, replace(asked, words=[*asked.words[:2], str(left), *reads]))

        return FakePending(lambda: self._due_in(waiting), answer, on_answer, self._pending)

    def _answer_to(self, question: Question, asked: Call | ScriptRequest | None) -> Reply:
        self._travel(question.timeout)
        with self._changed:
            self._check_cut()
            if asked is None:
                raise ProtocolError(self.host, "the fake host was sent a script that it does not understand")
            if isinstance(asked, ScriptRequest):
                body = "{1}\n{0}\n".format(*self._say(self.host, asked.script)).encode()
            else:
                body = self._carry_out(asked, question)
            return self._reply(question, asked, body)

    def _check_cut(self) -> None:
        if self._cut:
            raise self._cut[0](self.host, self._cut[1])

    def _reply(self, question: Question, asked: Call | ScriptRequest, body: bytes) -> Reply:
        if self._deaf:
            self._deaf -= 1
            raise ConnectionLost(self.host, BROKEN)
        whole = b"\n%b\n%b%b" % (asked.begin, body, question.end)
        if len(whole) > question.max_bytes:
            raise ProtocolError(self.host, f"the answer is longer than {question.max_bytes} bytes")
        return Reply(whole, b"", complete=True)

    def close(self) -> None:
        """Nothing is open."""

    def _travel(self, timeout: float) -> None:
        if self.latency > timeout:
            self._pass(timeout)
            raise TimedOut(self.host, f"no complete answer within {timeout:g} s")
        if self.latency:
            self._pass(self.latency)

    def _pass(self, seconds: float) -> None:
        if self._real_time:
            time.sleep(seconds)
            return
        with self._changed:
            self._clock.jump(self._clock.now() + seconds)

    # --- the entries of job.sh ---

    def _jobs_of(self, call: Call, question: Question) -> tuple[str, dict[str, FakeJob]]:
        """The directory that a call is about, "" where that cannot be, and the jobs there, as they are now."""
        base = base_of(call.words[1], question.become.user if question.become else LOGIN)
        jobs = self._jobs.setdefault(base, {})
        settle(jobs.values(), self._clock.now())
        return base, jobs

    def _carry_out(self, call: Call, question: Question) -> bytes:
        base, jobs = self._jobs_of(call, question)
        if not base:
            return answers.error("bad_dir", f"the directory {call.words[1]} is not absolute")
        entry, _, *words = call.words
        match entry:
            case "rj_status":
                if int(words[0]):
                    wanted = [jobs.get(jid) for jid in words[1::4]]
                    self._await(Waiting(jobs, wanted, self._clock.now() + int(words[0]), self._breaks))
                return answers.statuses(jobs, base, self._clock, words[1:])
            case "rj_kill":
                return self._kill(jobs, base, words[0])
            case "rj_list":
                return answers.listed(jobs, self._clock, sorted(jobs))
            case "rj_clean":
                return self._clean(jobs, *map(int, words))
        raise ProtocolError(self.host, f"the fake host does not know {entry}")

    def _start(self, jobs: dict[str, FakeJob], base: str, start: Start) -> tuple[FakeJob | None, bytes]:
        """The job, where a new one was started, and what is said of it at first."""
        if not base:
            return None, answers.error("bad_dir", f"the directory {start.directory} is not absolute")
        jid, now = start.job.jid, self._clock.now()
        if (there := jobs.get(jid)) and there.end and there.end.cause == "never":
            del jobs[jid]
        elif there:
            if there.settings == start.settings:
                return None, b"attached 1\n" + answers.full(there, self._clock, -1, -1, TAIL_BYTES)
            taken = answers.error("job_exists", f"{there.directory} holds a job with another command or settings")
            return None, taken + answers.full(there, self._clock, 0, 0, 0)
        plan = self._plan(self.host, start.job.cmd)
        if plan.refused:
            return None, answers.error("start_failed", plan.refused)
        pid = FIRST_PID + 7 * len(jobs)
        job = jobs[jid] = FakeJob(start.job, start.settings, f"{base}/{jid}", plan, pid, now)
        settle(jobs.values(), now)
        self._on_start()
        return job, answers.brief(job, self._clock)

    def _await(self, waiting: Waiting) -> None:
        """Time jumps where it can."""
        while (due := self._due_in(waiting)) > 0:
            self._changed.wait(due)
        if self._breaks != waiting.breaks:
            raise ConnectionLost(self.host, BROKEN)

    def _due_in(self, waiting: Waiting) -> float:
        with self._changed:
            while self._breaks == waiting.breaks:
                now = self._clock.now()
                due, by_test = waiting.due(now)
                if due <= now or by_test or self._real_time:
                    return max(0.0, due - now)
                self._clock.jump(due)
            return 0.0

    def _kill(self, jobs: dict[str, FakeJob], base: str, jid: str) -> bytes:
        job = jobs.get(jid)
        if not job:
            return answers.missing(base, jid)
        job.kill(self._clock.now())
        self._notify()
        return answers.full(job, self._clock, -1, -1, TAIL_BYTES)

    def _clean(self, jobs: dict[str, FakeJob], older_than: int, keep: int, dry_run: int) -> bytes:
        now = self._clock.now()
        ended = [(job.end.at, jid) for jid, job in jobs.items() if job.end]
        newest_first = sorted(ended, reverse=True)
        gone = [jid for at, jid in newest_first[keep:] if now - at >= older_than]
        said = answers.listed(jobs, self._clock, gone)
        if not dry_run:
            for jid in gone:
                del jobs[jid]
        return said
