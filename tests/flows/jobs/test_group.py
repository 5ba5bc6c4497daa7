"""Any, all, or so many of a group of jobs, on hosts that are not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prefect import flow

from remotejobs.errors import AuthenticationFailed, UsageError
from remotejobs.model import Handle, Job, Record, State
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.jobs.errors import RetriesExhausted
from remotejobs.prefect.tasks.jobs.group import await_jobs
from remotejobs.prefect.tasks.jobs.job import kill_job, start_job
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.testing import FakeHosts, Plan

HOSTS = Access(inventory="db1,db2,db3")
SOON = Until(retries=2, delay=0.1)


@flow
def race(until: Until, count: int | None, meanwhile: Callable[[], object]) -> tuple[Record, ...]:
    """Ask several, take the first, end the rest: what the documents show."""
    job = Job(jid="ask", cmd="ask the mirror", label="ask")
    handles = [start_job(job, host, HOSTS) for host in ("db1", "db2", "db3")]
    meanwhile()
    ended = await_jobs(handles, HOSTS, until, count)
    for handle in handles:
        if handle.host not in {record.host for record in ended}:
            kill_job(handle, HOSTS)
    return ended


def nothing() -> None:
    """Nothing happens meanwhile."""


def states(fake: FakeHosts) -> list[str]:
    return [start.state for start in fake.started("ask")]


def test_the_first_end_is_enough_and_the_others_can_be_ended() -> None:
    fake = FakeHosts(Plan(lasts=None))
    fake.plan("ask", Plan(rc=3), on="db2")
    with reached_by(fake.connect):
        ended = race(SOON, 1, nothing)
    assert [(record.host, record.rc) for record in ended] == [("db2", 3)]
    assert states(fake) == [State.KILLED, State.FAILED, State.KILLED]


def test_an_end_is_known_at_once_while_the_others_run_however_long_the_delay_is() -> None:
    fake = FakeHosts(Plan(lasts=None))
    fake.plan("ask", Plan(lasts=300), on="db3")
    with reached_by(fake.connect):
        # Were it known at the end of an attempt, that would outlast the test.
        ended = race(Until(retries=1, delay=900), 1, nothing)
    assert [record.host for record in ended] == ["db3"]


def test_without_a_number_all_are_awaited() -> None:
    fake = FakeHosts()
    with reached_by(fake.connect):
        assert [record.host for record in race(SOON, None, nothing)] == ["db1", "db2", "db3"]


def test_an_unreachable_host_is_not_counted_as_ended() -> None:
    fake = FakeHosts()
    with (
        reached_by(fake.connect),
        pytest.raises(RetriesExhausted, match="2 of 3 jobs ended, no answer from db1; 3 were"),
    ):
        race(SOON, 3, fake.host("db1").unreachable)


def test_those_left_at_the_last_poll_are_killed_where_that_was_asked_for() -> None:
    fake = FakeHosts(Plan(lasts=None))
    until = Until(retries=0, delay=0.1, on_exhausted="kill")
    with reached_by(fake.connect), pytest.raises(RetriesExhausted, match="db3: killed on request"):
        race(until, 1, nothing)
    assert states(fake) == [State.KILLED] * 3


def test_where_too_few_can_ever_answer_the_reason_is_raised_at_once() -> None:
    fake = FakeHosts(Plan(lasts=None))

    def locked_out() -> None:
        for host in ("db1", "db2"):
            fake.host(host).unreachable(AuthenticationFailed, "no key fits")

    with reached_by(fake.connect), pytest.raises(AuthenticationFailed, match="no key fits"):
        race(Until(retries=1000, delay=60), 2, locked_out)


def test_more_than_all_cannot_be_awaited() -> None:
    handles = [Handle(host=host, jid="ask") for host in ("db1", "db2", "db3")]
    with pytest.raises(UsageError, match="count is 4 of 3 jobs"):
        await_jobs(handles, HOSTS, SOON, 4)
