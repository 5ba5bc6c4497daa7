"""How long a job will take on is known from earlier runs, or by its percentage, or not at all."""

from __future__ import annotations

import pytest

from remotejobs.display.row import progress_line, row_of
from remotejobs.errors import HostError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.estimate import Estimator, seconds_left, usual_seconds, with_usual
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Job, Record, State
from remotejobs.progress import Progress
from remotejobs.testing import FakeHosts, Plan


def run(delta: float, *, day: int = 1, label: str = "dump", state: State = State.SUCCEEDED) -> Record:
    end = "" if state is State.RUNNING else f"2026-01-{day:02}T02:00:00Z"
    return Record(host="db1", jid=f"j{day}", state=state, label=label, delta=delta, end=end)


def test_it_is_the_median_of_the_last_five_that_succeeded() -> None:
    there = [run(delta, day=day) for day, delta in enumerate((900, 10, 20, 30, 40, 500), 1)]
    others = [run(1, day=9, state=State.FAILED), run(2, day=9, label="vacuum")]
    assert usual_seconds([*reversed(there), *others], "dump") == 30
    assert usual_seconds(there, "vacuum") is None
    assert usual_seconds([run(5, label="")], "") is None


@pytest.mark.parametrize(
    ("usual", "progress", "left"),
    [
        (100, None, 60),
        (100, Progress(80), 60),
        (30, Progress(80), 10),
        (30, None, None),
        (None, Progress(80), 10),
        (None, Progress(None, "copying"), None),
        (None, None, None),
    ],
)
def test_earlier_runs_come_first_then_the_percentage_and_nothing_is_guessed(
    usual: float | None, progress: Progress | None, left: float | None
) -> None:
    record = Record(host="h", jid="j", state=State.RUNNING, delta=40, usual=usual, progress=progress)
    assert seconds_left(record) == left
    assert ("about" in progress_line(record)) is (left is not None)


@pytest.mark.parametrize("state", [State.FAILED, State.QUEUED])
def test_what_does_not_run_has_nothing_left(state: State) -> None:
    assert seconds_left(Record(host="h", jid="j", state=state, delta=4, usual=100)) is None


def test_it_stands_beside_the_last_line_that_a_job_wrote() -> None:
    record = Record(host="h", jid="j", state=State.RUNNING, delta=40, usual=100, stdout=b"table orders\n")
    assert row_of(HostResult("h", value=record)).msg == "about 1m00s left; table orders"


def test_a_host_reports_its_own_earlier_runs_and_is_asked_once() -> None:
    fake = FakeHosts(Plan(lasts=90))
    jobs = HostJobs(fake.host("db1"))
    for jid in ("monday", "tuesday"):
        jobs.start(Job(jid=jid, cmd="pg_dump", label="dump"))
        jobs.record(jid, wait=60)
        jobs.record(jid, wait=60)
    running = jobs.start(Job(jid="wednesday", cmd="pg_dump", label="dump"))
    estimator = Estimator(jobs)
    assert estimator.of(running).usual == pytest.approx(90)
    fake.host("db1").unreachable()
    assert estimator.of(running).usual == pytest.approx(90)
    assert Estimator(jobs).of(running).usual is None
    with pytest.raises(HostError):
        jobs.list()
    fake.host("db1").reachable()
    assert [record.usual for record in with_usual(jobs.list())] == [None, None, pytest.approx(90)]
