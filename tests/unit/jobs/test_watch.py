"""Waiting for the jobs of many hosts at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from remotejobs.agent.request import Read
from remotejobs.connections.base import Stay
from remotejobs.errors import AuthenticationFailed, JobNotFound, StartFailed, Unreachable
from remotejobs.inventory import load_inventory
from remotejobs.jobs.answers import PendingRecords
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.watch import THREADS, JobWatch, OnAnswer, StartJob
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
            assert ("db1", "work") in watch.unheard
            fake.host("db1").reachable()
        elif said == ["unreachable", "heard"]:
            assert not watch.unheard
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


def test_an_end_with_much_output_is_known_also_while_other_hosts_hang_and_hold_all_slots() -> None:
    fake, slots = FakeHosts(Plan(lasts=None, stdout="x" * 100_000)), threading.BoundedSemaphore(1)
    jobs = HostJobs(fake.host("db1"), slots=slots)
    jobs.start(Job(jid="work", cmd="x", label="work"))
    with slots:
        watch = JobWatch({"db1": ["work"]}, lambda _: jobs)
        fake.ends("work")
        (news,) = watch.news(LONG)
    assert news.record and len(news.record.stdout) == 64 * 1024


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


def test_a_host_that_can_get_no_thread_of_its_own_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_calls: object, *, name: str) -> None:
        raise RuntimeError(f"can't start new thread {name}")

    fake = FakeHosts(Plan(lasts=None), real_time=True)
    watch = started(fake, "db1")
    assert list(watch.news(0.01)) == []
    monkeypatch.setattr("remotejobs.jobs.watch.start_threads", full)
    fake.host("db1").unreachable()
    with pytest.raises(RuntimeError, match="watch apart"):
        list(watch.news(LONG / 10))


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


def fleet(fake: FakeHosts, *hosts: str) -> Fleet:
    return Fleet(load_inventory(",".join((*hosts, ""))).select("all"), connect=fake.connect)


def start_of(job: Job) -> StartJob:
    return lambda jobs, on_start, on_answer: jobs.start_soon(job, wait=60, on_start=on_start, on_answer=on_answer)


def test_a_watch_that_starts_jobs_reports_start_and_end_of_each() -> None:
    watch = fleet(FakeHosts(Plan(lasts=30, rc=3)), "db1", "db2").watch("j", start=start_of(Job(jid="j", cmd="x")))
    said: dict[str, list[str]] = {}
    for news in watch.until_over():
        assert news.record
        said.setdefault(news.host, []).append(f"{'start' if news.started else 'end'}: {news.record.state}")
    assert said == {host: ["start: running", "end: failed"] for host in ("db1", "db2")}


def test_a_host_that_is_unreachable_at_first_is_not_asked_again() -> None:
    fake = FakeHosts(Plan(lasts=None))
    fake.host("db1").unreachable()
    (news,) = fleet(fake, "db1").watch("j", start=start_of(Job(jid="j", cmd="x"))).until_over()
    assert news.is_last and isinstance(news.error, Unreachable)


def test_what_refuses_a_start_is_its_last_event_and_not_taken_for_trouble() -> None:
    fake = FakeHosts(Plan(refused="no such directory"))
    (news,) = fleet(fake, "db1").watch("j", start=start_of(Job(jid="j", cmd="x"))).until_over()
    assert isinstance(news.error, StartFailed)


def test_a_job_whose_host_was_lost_while_its_start_waited_is_waited_for_all_the_same() -> None:
    fake = FakeHosts(Plan(lasts=None), real_time=True)
    news = fleet(fake, "db1").watch("j", start=start_of(Job(jid="j", cmd="x"))).until_over()
    assert next(news).started
    fake.host("db1").unreachable()
    assert next(news).asked_again
    fake.host("db1").reachable()
    assert next(news).returned
    fake.ends("j", rc=4)
    assert [one.record and one.record.rc for one in news] == [4]


def test_a_host_that_stays_away_longer_than_the_contact_timeout_is_given_up() -> None:
    fake = FakeHosts(Plan(lasts=None), real_time=True)
    news = fleet(fake, "db1").watch("j", start=start_of(Job(jid="j", cmd="x")), contact_timeout=0.5).until_over()
    assert next(news).started
    fake.host("db1").unreachable()
    first, last = news
    assert (first.asked_again, first.is_last, last.is_last) == (True, False, True)
    assert isinstance(last.error, Unreachable)


def test_a_queued_job_is_reported_again_when_its_turn_has_come() -> None:
    fake = FakeHosts(Plan(lasts=None), real_time=True)
    HostJobs(fake.host("db1")).start(Job(jid="before", cmd="x", locks=("one",)))
    watch = fleet(fake, "db1").watch("j", start=start_of(Job(jid="j", cmd="x", locks=("one",))))
    states = []
    for news in watch.until_over():
        assert news.record
        states.append(news.record.state)
        if states == [State.QUEUED]:
            fake.ends("before")
        elif states == [State.QUEUED, State.RUNNING]:
            fake.ends("j")
    assert states == [State.QUEUED, State.RUNNING, State.SUCCEEDED]


def test_glimpses_come_soon_and_then_less_and_less_often() -> None:
    fake = FakeHosts(Plan(lasts=None))
    HostJobs(fake.host("db1")).start(Job(jid="j", cmd="x"))
    waits = []

    class Counted(HostJobs):
        def status_soon(
            self, reads: Sequence[Read], *, wait: float, stay: Stay, on_answer: OnAnswer
        ) -> PendingRecords | None:
            waits.append(wait)
            if len(waits) == 6:
                fake.ends("j")
            return super().status_soon(reads, wait=0, stay=stay, on_answer=on_answer)

    watch = JobWatch({"db1": ["j"]}, lambda host: Counted(fake.host(host)), glimpses=15, first_glimpse=1)
    assert len(list(watch.until_over())) == 6
    assert waits == [1, 2, 4, 8, 15, 15]
