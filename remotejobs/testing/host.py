"""One host that is not there: it answers as `job.sh` would, over a connection that fails on demand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Condition

from remotejobs.connections.base import Milestone, PendingReply, Question, Reply, Stay, do_nothing
from remotejobs.errors import ConnectionLost, ConnectionRefused, ProtocolError, TimedOut, Unreachable
from remotejobs.model import TAIL_BYTES
from remotejobs.testing import answer
from remotejobs.testing.clock import Clock
from remotejobs.testing.job import FakeJob
from remotejobs.testing.line import settle
from remotejobs.testing.plan import Planner
from remotejobs.testing.request import Call, ScriptRequest, Start, asked_in, base_of
from remotejobs.testing.waiting import FakePending, Waiting

FIRST_PID = 4242
LOGIN = "deploy"
GLIMPSE_BYTES = 4096  # what a start brings of a job that runs on

Say = Callable[[str, str], tuple[int, str]]  # of a host's name and a script: exit code and output


class FakeHost:
    """A host and its connection in one. `latency` is seconds that each answer takes."""

    __slots__ = (
        "_breaks",
        "_changed",
        "_clock",
        "_cut",
        "_deaf",
        "_jobs",
        "_on_start",
        "_pending",
        "_plan",
        "_real_time",
        "_say",
        "host",
        "latency",
    )

    def __init__(
        self,
        name: str,
        *,
        plan: Planner,
        say: Say,
        on_start: Callable[[], None],
        real_time: bool,
        latency: float,
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
        self._cut: tuple[type[Unreachable], str] | None = None
        self._deaf = 0
        self._pending: set[FakePending] = set()
        self._breaks = 0  # how often all connections broke

    # --- what the test does to it ---

    def unreachable(self, kind: type[Unreachable] = ConnectionRefused, message: str = "nothing listens there") -> None:
        """From now on it cannot be asked; waiting callers lose the connection. Its jobs run on."""
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
        return self._answer_to(question, asked_in(question.script))

    def ask_staying(
        self,
        stay: Stay,  # noqa: ARG002 - nothing is kept: what it answers by has not to be read again
        question: Question,
        opening: Callable[[], bytes],  # noqa: ARG002
        on_answer: Callable[[], None] = do_nothing,
    ) -> PendingReply | None:
        """See `remotejobs.connections.base.KeepsShells.ask_staying`."""
        asked = asked_in(question.script)
        assert isinstance(asked, Call)
        _, directory, wait, *reads = asked.words
        with self._changed:
            if self._cut:
                return None
            jobs = self._jobs.get(base_of(directory, question.become.user if question.become else LOGIN), {})
            wanted = [jobs.get(jid) for jid in reads[::4]] if int(wait) else [None]
            waiting = Waiting(jobs, wanted, self._clock.now() + int(wait), self._breaks)

        def answer() -> Reply:
            self._pending.discard(pending)
            if self._breaks != waiting.breaks:
                raise ConnectionLost(self.host, "the connection ended in the middle of an answer")
            left = max(0, math.ceil(waiting.deadline - self._clock.now()))
            return self._answer_to(question, replace(asked, words=[*asked.words[:2], str(left), *reads]))

        pending = FakePending(lambda: self._due_in(waiting), answer, on_answer)
        self._pending.add(pending)
        pending.wake()
        return pending

    def _answer_to(self, question: Question, asked: Call | ScriptRequest | None) -> Reply:
        self._travel(question.timeout)
        with self._changed:
            if self._cut:
                raise self._cut[0](self.host, self._cut[1])
            if asked is None:
                raise ProtocolError(self.host, "the fake host was sent a script that it does not understand")
            if isinstance(asked, ScriptRequest):
                body = "{1}\n{0}\n".format(*self._say(self.host, asked.script)).encode()
            else:
                user = question.become.user if question.become else LOGIN
                body = self._carry_out(asked, user, question.milestone)
            if self._deaf:
                self._deaf -= 1
                raise ConnectionLost(self.host, "the connection ended in the middle of an answer")
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

    def _carry_out(self, call: Call, user: str, milestone: Milestone | None) -> bytes:
        entry, directory, *words = call.words
        base = base_of(directory, user)
        if not base:
            return answer.error("bad_dir", f"the directory {directory} is not absolute")
        jobs = self._jobs.setdefault(base, {})
        settle(jobs.values(), self._clock.now())
        match entry:
            case "rj_start":
                return self._start(jobs, base, Start.of(call.words[1:]), call, milestone)
            case "rj_status":
                return self._status(jobs, base, int(words[0]), words[1:])
            case "rj_kill":
                return self._kill(jobs, base, words[0])
            case "rj_list":
                return answer.listed(jobs, self._clock, sorted(jobs))
            case "rj_clean":
                return self._clean(jobs, *map(int, words))
        raise ProtocolError(self.host, f"the fake host does not know {entry}")

    def _start(
        self, jobs: dict[str, FakeJob], base: str, start: Start, call: Call, milestone: Milestone | None
    ) -> bytes:
        jid, now = start.job.jid, self._clock.now()
        if (there := jobs.get(jid)) and there.end and there.end.cause == "never":
            del jobs[jid]
        elif there:
            if there.settings == start.settings:
                return b"attached 1\n" + answer.full(there, self._clock, -1, -1, TAIL_BYTES)
            taken = answer.error("job_exists", f"{there.directory} holds a job with another command or settings")
            return taken + answer.full(there, self._clock, 0, 0, 0)
        plan = self._plan(self.host, start.job.cmd)
        if plan.refused:
            return answer.error("start_failed", plan.refused)
        pid = FIRST_PID + 7 * len(jobs)
        job = jobs[jid] = FakeJob(start.job, start.settings, f"{base}/{jid}", plan, pid, now)
        settle(jobs.values(), now)
        self._on_start()
        first = answer.brief(job, self._clock)
        if not job.end and not call.wait:
            return first
        if milestone:
            milestone.reached(b"\n%b\n%b" % (call.begin, first.removesuffix(b"\n")))
        if call.wait:
            self._wait(jobs, [job], call.wait)
        again = b"job %b %b\n" % (jid.encode(), call.begin.rpartition(b" ")[2])
        return first + again + answer.full(job, self._clock, -1, -1, TAIL_BYTES if job.end else GLIMPSE_BYTES)

    def _status(self, jobs: dict[str, FakeJob], base: str, wait: int, words: list[str]) -> bytes:
        reads = [words[at : at + 4] for at in range(0, len(words), 4)]
        if wait:
            self._wait(jobs, [jobs.get(read[0]) for read in reads], wait)
        parts = []
        for jid, out, err, most in reads:
            parts.append(answer.section(jid))
            if found := jobs.get(jid):
                parts.append(answer.full(found, self._clock, int(out), int(err), int(most)))
            else:
                parts.append(answer.missing(base, jid))
        return b"".join(parts)

    def _wait(self, jobs: dict[str, FakeJob], wanted: list[FakeJob | None], seconds: int) -> None:
        """Time jumps where it can."""
        waiting = Waiting(jobs, wanted, self._clock.now() + seconds, self._breaks)
        while (due := self._due_in(waiting)) > 0:
            self._changed.wait(due)
        if self._breaks != waiting.breaks:
            raise ConnectionLost(self.host, "the connection ended in the middle of an answer")

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
            return answer.missing(base, jid)
        job.kill(self._clock.now())
        self._notify()
        return answer.full(job, self._clock, -1, -1, TAIL_BYTES)

    def _clean(self, jobs: dict[str, FakeJob], older_than: int, keep: int, dry_run: int) -> bytes:
        now = self._clock.now()
        ended = [(job.end.at, jid) for jid, job in jobs.items() if job.end]
        newest_first = sorted(ended, reverse=True)
        gone = [jid for at, jid in newest_first[keep:] if now - at >= older_than]
        said = answer.listed(jobs, self._clock, gone)
        if not dry_run:
            for jid in gone:
                del jobs[jid]
        return said
