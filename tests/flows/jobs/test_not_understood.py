"""Polls of a host whose answers are not understood for a while, as of one without room for another process."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prefect import flow

from remotejobs.errors import ProtocolError
from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.host_group import JobStep
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.jobs.run_steps import run_steps
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.testing import FakeHosts, Plan
from tests.task_log import TaskLog

ALONE, TOGETHER = 1, 2
CANNOT_FORK = "no whole answer came back; the host said: sh: Cannot fork"
SIMULATED = Access(inventory="db1,db2")


@flow
def run_all(work: list[JobStep], group: int) -> list[JobResult]:
    return run_steps(work, SIMULATED, group=group)


def steps(until: Until) -> list[JobStep]:
    work = Job(jid=uuid4().hex, cmd="x", label="work")
    return [JobStep(work, host, until) for host in ("db1", "db2")]


@pytest.mark.parametrize(
    ("group", "said"),
    [(ALONE, "exception: ProtocolError"), (TOGETHER, "work on db2: not understood, it is asked again")],
)
def test_it_is_asked_again_and_its_job_has_not_failed(
    fake: FakeHosts, task_log: TaskLog, group: int, said: str
) -> None:
    fake.plan(".", Plan(lasts=None))

    def answer_again() -> None:
        fake.host("db2").reachable()
        fake.ends("work")

    task_log.when("work on db2: running" if group == ALONE else "attempt 1 of", lambda: trouble(fake))
    task_log.when(said, answer_again)
    assert [end.state for end in run_all(steps(Until(retries=300, delay=0.2)), group)] == ["succeeded", "succeeded"]
    assert task_log.having(said)


@pytest.mark.parametrize("group", [ALONE, TOGETHER])
def test_to_the_end_it_is_said_that_the_job_may_run_on(fake: FakeHosts, task_log: TaskLog, group: int) -> None:
    fake.plan(".", Plan(lasts=None))
    task_log.when("work on db2: running" if group == ALONE else "attempt 1 of", lambda: trouble(fake))
    task_log.when("Cannot fork", lambda: fake.ends("work", on="db1"))
    ends = run_all(steps(Until(retries=4, delay=0.5)), group)
    assert [(end.host, end.state) for end in ends] == [("db1", "succeeded"), ("db2", "unreachable")]
    assert "It may run on; check it with: remotejobs status db2" in ends[1].reason


def trouble(fake: FakeHosts) -> None:
    fake.host("db2").unreachable(ProtocolError, CANNOT_FORK)
