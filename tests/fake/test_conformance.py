"""The fake host answers as the real agent does, line by line, in all that it does not leave out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from remotejobs.agent.request import Read
from remotejobs.agent.shell import Shell
from remotejobs.connections.base import Connection, Question, Reply
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import HostError
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job
from remotejobs.testing import FakeHosts, Plan

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_BLOB = re.compile(r"blob (\w+) \d+ \d+ (\d+)")
_ANY_OUTPUT = {"processes"}


class Recorded:
    """A connection whose answers are kept."""

    def __init__(self, connection: Connection) -> None:
        self.host = connection.host
        self.answers: list[str] = []
        self._connection = connection

    def ask(self, question: Question) -> Reply:
        reply = self._connection.ask(question)
        body = reply.stdout.partition(b"\n")[2].partition(b"\n")[2].removesuffix(question.end)
        self.answers.append(body.decode())
        return reply

    def close(self) -> None:
        self._connection.close()


def shape(answer: str, directory: str) -> list[str]:
    """The lines of an answer without what differs from run to run: times, pids, and pictures of processes."""
    lines, rest = [], answer.replace(directory, "DIR")
    while rest:
        line, _, rest = rest.partition("\n")
        blob = _BLOB.fullmatch(line)
        if blob and blob[1] in _ANY_OUTPUT:
            picture, rest = rest[: int(blob[2])], rest[int(blob[2]) + 1 :]
            line = f"blob {blob[1]} {picture.split()[:5]}"
        key, _, value = line.partition(" ")
        if key in ("start", "end", "pid", "delta") and value:
            assert _TIME.fullmatch(value) if key in ("start", "end") else float(value) >= 0, line
            line = f"{key} *"
        if key == "job":
            line = re.sub(r" [0-9a-f]{16}$", " WORD", line)
        lines.append(line)
    return lines


def wait_for_output(jobs: HostJobs, jid: str) -> None:
    """Seen in an answer that is not compared: how often it has to be asked differs."""
    while not jobs.record(jid).stdout:
        pass


def ends_by_itself(jobs: HostJobs, _unrecorded: HostJobs) -> None:
    jobs.start(Job(jid="good", cmd="echo out; echo err >&2; sleep 1", label="a label"))
    jobs.record("good", wait=30)
    jobs.start(Job(jid="good", cmd="echo out; echo err >&2; sleep 1", label="a label"))
    jobs.start(Job(jid="bad", cmd="echo 12345; sleep 1; exit 3"))
    jobs.status([Read("good", 1, 2), Read("bad", 2, 99, 3)], wait=30)
    jobs.record("bad", wait=30)
    jobs.start(Job(jid="awaited", cmd="echo out; echo err >&2; sleep 1"), wait=30)
    jobs.start(Job(jid="signalled", cmd="sleep 1; kill -KILL $$"))
    jobs.record("signalled", wait=30)
    jobs.list()


def runs_on(jobs: HostJobs, unrecorded: HostJobs) -> None:
    jobs.start(Job(jid="long", cmd="echo started; exec sleep 600", label="long one", timeout=500))
    wait_for_output(unrecorded, "long")
    jobs.record("long")
    jobs.record("long", wait=1)
    jobs.list()
    jobs.clean(older_than=0)
    jobs.kill("long", grace=1)
    jobs.kill("long")


def reports_progress(jobs: HostJobs, unrecorded: HostJobs) -> None:
    # What its start says of it depends on which is quicker.
    unrecorded.start(Job(jid="far", cmd='echo "40 copying" >"$REMOTEJOBS_PROGRESS"; echo started; exec sleep 600'))
    wait_for_output(unrecorded, "far")
    jobs.record("far")
    jobs.list()
    jobs.kill("far")


def hits_its_limits(jobs: HostJobs, _unrecorded: HostJobs) -> None:
    jobs.start(Job(jid="over", cmd="exec sleep 600", timeout=1, label="over its limit"))
    jobs.record("over", wait=30)
    jobs.start(Job(jid="silent", cmd="exec sleep 600", idle_timeout=1))
    jobs.record("silent", wait=30)
    jobs.list()


def stands_in_line(jobs: HostJobs, unrecorded: HostJobs) -> None:
    jobs.start(Job(jid="first", cmd="exec sleep 601", locks=("apt",), slots=3, pool="all"))
    for jid, most in (("second", 3), ("third", 2), ("other", 2)):
        locks = ("db:orders", "apt") if jid != "other" else ()
        jobs.start(Job(jid=jid, cmd="exec sleep 602", locks=locks, slots=most, pool="all", label=f"the {jid}"))
    jobs.start(Job(jid="second", cmd="exec sleep 602", locks=("apt",)))
    jobs.record("third", wait=1)
    jobs.list()
    jobs.clean(older_than=0)
    jobs.kill("second")
    jobs.start(Job(jid="late", cmd="exec sleep 602", locks=("apt",), queue_timeout=1))
    jobs.record("late", wait=30)
    jobs.kill("first", grace=0)
    for jid in ("third", "other"):
        while not unrecorded.record(jid, wait=5).pid:
            pass
    jobs.record("third")
    jobs.kill("third", grace=0)
    jobs.kill("other", grace=0)
    jobs.list()


def is_cleaned(jobs: HostJobs, unrecorded: HostJobs) -> None:
    jobs.list()
    for jid in ("one", "two", "three"):
        jobs.start(Job(jid=jid, cmd="sleep 1"))
        unrecorded.record(jid, wait=30)
    jobs.clean(older_than=3600)
    jobs.clean(older_than=0, keep=2, dry_run=True)
    jobs.clean(older_than=0, keep=1)
    jobs.list()


def refuses(jobs: HostJobs, _unrecorded: HostJobs) -> None:
    jobs.start(Job(jid="taken", cmd="exec sleep 600"))
    elsewhere = HostJobs(jobs._connection, directory="relative/path")
    other_command = Job(jid="taken", cmd="sleep 601")
    not_there = Job(jid="no", cmd="true", chdir="/not/there")
    asks: list[Callable[[], object]] = [
        lambda: jobs.start(other_command),
        lambda: jobs.record("nobody"),
        lambda: jobs.kill("nobody"),
        lambda: jobs.start(not_there),
        elsewhere.list,
        lambda: elsewhere.start(other_command),
    ]
    for ask in asks:
        with pytest.raises(HostError):
            ask()
    jobs.kill("taken", grace=0)


def the_plans(fake: FakeHosts) -> None:
    for command, plan in (
        ("echo out", Plan(lasts=1, stdout="out\n", stderr="err\n")),
        ("echo 12345", Plan(lasts=1, rc=3, stdout="12345\n")),
        ("kill -KILL", Plan(lasts=1, rc=137, signal="KILL")),
        ("echo started", Plan(lasts=None, stdout="started\n")),
        ("PROGRESS", Plan(lasts=None, stdout="started\n", progress="40 copying")),
        ("^exec sleep 60[12]$", Plan(lasts=math.inf)),
        ("^(exec )?sleep 60", Plan(lasts=600)),
        ("^sleep 1$", Plan(lasts=1)),
        ("^true", Plan(refused="chdir: /not/there is not a directory there")),
    ):
        fake.plan(command, plan)


@pytest.mark.parametrize(
    "ask", [ends_by_itself, runs_on, reports_progress, hits_its_limits, stands_in_line, is_cleaned, refuses]
)
def test_the_fake_answers_what_the_shell_half_answers(
    ask: Callable[[HostJobs, HostJobs], None], tmp_path: Path
) -> None:
    fake = FakeHosts()
    the_plans(fake)
    directory = str(tmp_path / "jobs")
    said = []
    for way in (LocalConnection("here"), fake.host("here")):
        recorded = Recorded(way)
        ask(HostJobs(recorded, directory=directory), HostJobs(way, directory=directory))
        said.append([shape(answer, directory) for answer in recorded.answers])
    real, faked = said
    assert faked == real


def test_a_question_to_the_shell_is_framed_as_a_real_answer_is() -> None:
    fake = FakeHosts()
    fake.says("uptime", "up 3 days\nload 0.1\n")
    fake.says("false", rc=1)
    script = "echo 'up 3 days'; echo 'load 0.1' # uptime"
    assert Shell(fake.host("h")).run(script) == Shell(LocalConnection("h")).run(script)
    assert Shell(fake.host("h")).run("false") == Shell(LocalConnection("h")).run("false")


def test_a_waiting_caller_returns_at_once_when_the_test_ends_the_job() -> None:
    fake = FakeHosts(Plan(lasts=None))
    jobs = HostJobs(fake.host("h"))
    jobs.start(Job(jid="j", cmd="true", label="vacuum"))
    teller = Thread(target=fake.ends, args=("vacuum", 3), kwargs={"stdout": "half\n"})
    teller.start()
    record = jobs.record("j", wait=60)
    teller.join()
    assert (record.state, record.rc, record.stdout) == ("failed", 3, b"half\n")
