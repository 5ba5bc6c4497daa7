"""Waiting for the jobs of many hosts at once."""

from __future__ import annotations

import threading

import pytest

from remotejobs.errors import AuthenticationFailed, JobNotFound, Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.watch import THREADS, JobWatch
from remotejobs.model import Job, State
from remotejobs.testing import FakeHosts, Plan
from tests.awaiting import await_true

LONG = 120.0  # seconds; nothing here takes so long


def started(fake: FakeHosts, *hosts: str, jids: tuple[str, ...] = ("work",)) -> JobWatch:
    for host in hosts:
        for jid in jids:
            HostJobs(fake.host(host)).start(Job(jid=jid, cmd="x", label=jid))
    return JobWatch(dict.fromkeys(hosts, jids), lambda host: HostJobs(fake.host(host)))


def test_each_end_is_reported_once_and_when_all_have_ended_nothing_is_waited_for() -> None:
    fake = FakeHosts(Plan(lasts=60, stdout="done"))
    watch = started(fake, "db1", "db2", "db3")
    news = list(watch.news(LONG))
    assert sorted((one.host, one.record and one.record.state) for one in news) == [
        ("db1", State.SUCCEEDED),
        ("db2", State.SUCCEEDED),
        ("db3", State.SUCCEEDED),
    ]
    assert not watch.pending
    assert list(watch.news(LONG)) == []


def test_without_news_it_comes_back_in_time_and_goes_on_later() -> None:
    fake = FakeHosts(Plan(lasts=None))
    watch = started(fake, "db1")
    assert list(watch.news(0.01)) == []
    fake.ends("work", rc=3)
    (news,) = watch.news(LONG)
    assert news.record and news.record.rc == 3


def test_an_end_comes_with_all_of_the_output_that_a_record_holds() -> None:
    watch = started(FakeHosts(Plan(lasts=1, stdout="x" * 100_000)), "db1")
    (news,) = watch.news(LONG)
    assert news.record and len(news.record.stdout) == 64 * 1024


def test_an_unreachable_host_is_reported_once_and_so_is_its_end() -> None:
    fake = FakeHosts(Plan(lasts=None))
    watch = started(fake, "db1")
    fake.host("db1").unreachable()
    said = []
    for news in watch.news(LONG):
        said.append("unreachable" if news.error else "ended" if news.is_last else "heard")
        if said == ["unreachable"]:
            assert ("db1", "work") in watch.unreachable
            fake.host("db1").reachable()
        elif said == ["unreachable", "heard"]:
            assert not watch.unreachable
            fake.ends("work")
    assert said == ["unreachable", "heard", "ended"]


def test_what_does_not_pass_is_the_last_that_is_heard() -> None:
    fake = FakeHosts(Plan(lasts=None))
    watch = started(fake, "db1")
    fake.host("db1").unreachable(AuthenticationFailed, "no")
    *_, last = watch.news(LONG)
    assert isinstance(last.error, AuthenticationFailed)
    assert not watch.pending


def test_a_job_that_is_not_there_hides_no_other_on_its_host() -> None:
    fake = FakeHosts(Plan(lasts=None))
    HostJobs(fake.host("db1")).start(Job(jid="there", cmd="x"))
    watch = JobWatch({"db1": ["gone", "there"]}, lambda host: HostJobs(fake.host(host)))
    news = watch.news(LONG)
    first = next(news)
    assert (first.jid, type(first.error)) == ("gone", JobNotFound)
    fake.ends("there")
    assert [one.jid for one in news] == ["there"]


def watching() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("watch")}


def test_hundreds_of_waiting_hosts_take_few_threads() -> None:
    fake, before = FakeHosts(Plan(lasts=None), real_time=True), watching()
    watch = started(fake, *(f"h{number}" for number in range(300)), jids=("one", "other"))
    fake.ends("one", on="h7")
    assert [news.jid for news in watch.news(0.5)] == ["one"]
    assert 1 <= len(watching() - before) <= THREADS
    fake.ends("one")
    fake.ends("other")
    assert len(list(watch.news(LONG))) == 599


def test_a_host_has_a_thread_of_its_own_only_while_it_is_unreachable() -> None:
    fake, before = FakeHosts(Plan(lasts=None), real_time=True), watching()
    watch = started(fake, "db1", "db2")
    fake.host("db1").unreachable()
    news = watch.news(LONG)
    assert next(news).host == "db1"
    assert [thread.name for thread in watching() - before].count("watch apart") == 1
    fake.host("db1").reachable()
    assert next(news).returned
    fake.ends("work")
    assert {one.host for one in news} == {"db1", "db2"}
    assert "watch apart" not in {thread.name for thread in watching() - before}


def test_neither_a_watch_that_is_over_nor_one_that_was_stopped_leaves_a_thread() -> None:
    before = watching()
    fake = FakeHosts(Plan(lasts=None), real_time=True)
    over, stopped = started(fake, "db1", "db2"), started(fake, "db3", "db4", "db5")
    fake.host("db5").unreachable()
    assert next(stopped.news(LONG)).host == "db5"
    stopped.stop()
    fake.ends("work", on="db[12]")
    assert len(list(over.news(LONG))) == 2
    await_true(lambda: not watching() - before)


def test_a_fault_of_this_program_is_not_taken_for_a_job_that_never_ends() -> None:
    def broken(_host: str) -> HostJobs:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(JobWatch({"db1": ["work"]}, broken).news(LONG))


def test_a_host_that_is_reachable_again_is_reported_before_anything_ends_there() -> None:
    # It ends within the shortest wait of a poll, which would see nothing but the end.
    fake = FakeHosts(Plan(lasts=3))
    jobs = HostJobs(fake.host("h"))
    jobs.start(Job(jid="j", cmd="work"))
    fake.host("h").unreachable()
    news = JobWatch({"h": ["j"]}, lambda _: jobs).news(30)
    assert isinstance(next(news).error, Unreachable)
    fake.host("h").reachable()
    reported = [item.record.state for item in news if item.record]
    assert reported == ["running", "succeeded"]
