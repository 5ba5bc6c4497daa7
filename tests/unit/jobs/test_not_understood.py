"""A host that is waited for, and whose answers are not understood: that says nothing of its jobs."""

from __future__ import annotations

from itertools import islice

import pytest

from remotejobs.errors import HostError, ProtocolError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.wait import wait_until_ended
from remotejobs.jobs.watch import JobWatch
from remotejobs.model import Job, Record, State
from remotejobs.testing import FakeHosts, Plan

LONG = 120.0  # seconds; nothing here takes so long
CANNOT_FORK = "no whole answer came back; the host said: sh: Cannot fork"


def test_a_host_whose_answers_are_not_understood_is_asked_again_as_nothing_is_known_of_its_jobs() -> None:
    fake = FakeHosts(Plan(lasts=None), real_time=True)
    jobs = HostJobs(fake.host("db1"))
    for jid in ("one", "two"):
        jobs.start(Job(jid=jid, cmd="x", label=jid))
    watch = JobWatch({"db1": ["one", "two"]}, lambda _: jobs)
    fake.host("db1").unreachable(ProtocolError, CANNOT_FORK)
    news = watch.news(LONG)
    assert [(type(each.error), each.is_last) for each in islice(news, 2)] == [(ProtocolError, False)] * 2
    assert set(watch.unheard) == watch.pending
    fake.host("db1").reachable()
    assert [each.returned for each in islice(news, 2)] == [True] * 2
    for jid in ("one", "two"):
        fake.ends(jid)
    assert {each.record and each.record.state for each in news} == {State.SUCCEEDED}


def test_a_host_whose_answers_stay_unclear_is_given_up_after_the_contact_timeout() -> None:
    fake = FakeHosts(Plan(lasts=None), real_time=True)
    jobs = HostJobs(fake.host("db1"))
    jobs.start(Job(jid="one", cmd="x"))
    fake.host("db1").unreachable(ProtocolError, CANNOT_FORK)
    first, last = JobWatch({"db1": ["one"]}, lambda _: jobs, contact_timeout=0.5).news(LONG)
    assert (first.is_last, last.is_last, type(last.error)) == (False, True, ProtocolError)


def test_who_waits_for_one_job_asks_again_too_where_the_answer_is_not_understood() -> None:
    fake, errors = FakeHosts(Plan(lasts=None, rc=3), real_time=True), list[HostError]()
    jobs = HostJobs(fake.host("db1"))
    jobs.start(Job(jid="one", cmd="x", label="one"))
    fake.host("db1").unreachable(ProtocolError, CANNOT_FORK)

    def answer_again(error: HostError) -> None:
        errors.append(error)
        fake.host("db1").reachable()
        fake.ends("one", rc=3)

    assert wait_until_ended(jobs, "one", on_unreachable=answer_again).rc == 3
    assert [type(error) for error in errors] == [ProtocolError]


def test_the_end_of_one_job_that_cannot_be_read_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeHosts(Plan(lasts=None), real_time=True)
    jobs = HostJobs(fake.host("db1"))
    for jid in ("one", "two"):
        jobs.start(Job(jid=jid, cmd="x", label=jid))
    whole = jobs.whole

    def damaged(record: Record) -> Record:
        if record.jid == "one" and record.finished:
            raise ProtocolError("db1", "its output is damaged")
        return whole(record)

    monkeypatch.setattr(jobs, "whole", damaged)
    watch = JobWatch({"db1": ["one", "two"]}, lambda _: jobs)
    fake.ends("one")
    fake.ends("two")
    ends = {each.jid: each for each in watch.news(LONG) if each.is_last}
    assert type(ends["one"].error) is ProtocolError
    assert ends["two"].record and ends["two"].record.state is State.SUCCEEDED
