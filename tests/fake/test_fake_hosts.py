"""What a test can do to hosts that are not there."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from remotejobs.errors import ConnectionLost, StartFailed, TimedOut, Unreachable, UsageError
from remotejobs.inventory import load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.jobs.wait import wait_until_ended
from remotejobs.model import Job, State
from remotejobs.testing import FakeHosts, Plan

JOB = Job(jid="nightly", cmd="pg_dump orders", label="dump", timeout=7200)


def test_an_hour_on_the_host_takes_the_test_no_time() -> None:
    fake = FakeHosts(Plan(lasts=3600))
    jobs, began = HostJobs(fake.host("db1")), time.monotonic()
    assert jobs.start(JOB).state is State.RUNNING
    record = wait_until_ended(jobs, "nightly")
    assert record.state is State.SUCCEEDED and record.delta == 3600
    assert time.monotonic() - began < 60


def test_a_limit_ends_what_would_never_end() -> None:
    fake = FakeHosts(Plan(lasts=math.inf))
    jobs = HostJobs(fake.host("db1"))
    jobs.start(JOB)
    record = wait_until_ended(jobs, "nightly")
    assert (record.state, record.delta) == (State.TIMED_OUT, 7200)


def test_jobs_of_a_lock_go_one_after_the_other_each_as_long_as_it_takes() -> None:
    fake = FakeHosts(Plan(lasts=600))
    jobs = HostJobs(fake.host("db1"))
    for jid in ("first", "second", "third"):
        jobs.start(Job(jid=jid, cmd="apt-get -y upgrade", locks=("apt",)))
    assert [start.state for start in fake.started()] == [State.RUNNING, State.QUEUED, State.QUEUED]
    assert wait_until_ended(jobs, "third").delta == 600
    ends = [datetime.fromisoformat(jobs.record(jid).end) for jid in ("first", "second", "third")]
    assert [round((end - ends[0]) / timedelta(seconds=600)) for end in ends] == [0, 1, 2]


def test_what_is_queued_behind_a_job_that_the_test_ends_waits_for_that() -> None:
    fake = FakeHosts(Plan(lasts=5))
    fake.plan("dump", Plan(lasts=None))
    jobs = HostJobs(fake.host("db1"))
    jobs.start(Job(jid="holder", cmd="dump", slots=1))
    jobs.start(Job(jid="late", cmd="vacuum", slots=1, queue_timeout=60))
    with pytest.raises(UsageError, match="no job 'late' runs"):
        fake.ends("late")
    assert jobs.record("late", wait=1).msg == "waits for one of 1 slots; number 1 in line"
    fake.ends("holder")
    assert wait_until_ended(jobs, "late").state is State.SUCCEEDED


def test_a_queued_job_of_a_host_that_reboots_was_not_run_and_can_be_started_again() -> None:
    fake = FakeHosts(Plan(lasts=math.inf))
    jobs = HostJobs(fake.host("db1"))
    jobs.start(Job(jid="holder", cmd="dump", locks=("db",)))
    late = Job(jid="late", cmd="vacuum", locks=("db",))
    jobs.start(late)
    fake.host("db1").reboot()
    assert (jobs.record("holder").cause, jobs.record("late").cause) == ("rebooted", "never")
    assert jobs.start(late).state is State.RUNNING


def test_the_last_plan_that_fits_command_and_host_counts() -> None:
    fake = FakeHosts(lambda host, cmd: Plan(stdout=f"{cmd} on {host}"))
    fake.plan("pg_dump", Plan(rc=1, stderr="disk full"), on="db2")
    hosts = load_inventory("db1,db2").select("all")
    with Fleet(hosts, connect=fake.connect) as fleet:
        for outcome in fleet.each(lambda jobs: jobs.start(JOB)):
            assert outcome.value
        ends = {outcome.host: outcome.value for outcome in fleet.each(lambda jobs: jobs.record("nightly"))}
    assert ends["db1"] and ends["db1"].stdout == b"pg_dump orders on db1"
    assert ends["db2"] and (ends["db2"].rc, ends["db2"].stderr) == (1, b"disk full")
    assert [start.host for start in fake.started("dump", count=2)] == ["db1", "db2"]
    assert fake.started()[0].job == JOB


def test_an_unreachable_host_keeps_its_jobs() -> None:
    fake = FakeHosts(Plan(lasts=None))
    jobs = HostJobs(fake.host("db1"))
    jobs.start(JOB)
    fake.host("db1").unreachable()
    with pytest.raises(Unreachable):
        jobs.record("nightly")
    fake.host("db1").reachable()
    assert jobs.record("nightly").state is State.RUNNING


def test_a_caller_that_waits_on_a_rebooting_host_loses_the_connection_and_then_sees_the_reboot() -> None:
    fake = FakeHosts(Plan(lasts=None))
    jobs = HostJobs(fake.host("db1"))
    jobs.start(JOB)
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(jobs.record, "nightly", wait=60)
        while not poll.done():
            fake.host("db1").reboot()
        assert isinstance(poll.exception(), ConnectionLost) or poll.result().cause == "rebooted"
    assert (jobs.record("nightly").state, jobs.record("nightly").cause) == (State.LOST, "rebooted")


def test_a_start_whose_answer_is_lost_was_carried_out_all_the_same() -> None:
    fake = FakeHosts(Plan(lasts=None))
    jobs = HostJobs(fake.host("db1"))
    fake.host("db1").lose_answers()
    with pytest.raises(ConnectionLost):
        jobs.start(JOB)
    assert jobs.start(JOB).attached


def test_a_host_may_be_too_slow() -> None:
    fake = FakeHosts()
    fake.host("db1").latency = 90  # seconds; an answer is awaited for 60
    with pytest.raises(TimedOut):
        HostJobs(fake.host("db1")).record("nightly")


def test_a_start_may_be_refused_and_a_job_be_lost() -> None:
    fake = FakeHosts(Plan(lasts=None))
    fake.plan("vacuum", Plan(refused="no space"))
    jobs = HostJobs(fake.host("db1"))
    with pytest.raises(StartFailed, match="no space"):
        jobs.start(Job(jid="v", cmd="vacuum"))
    jobs.start(JOB)
    fake.loses("dump")
    assert jobs.record("nightly").cause == "gone"
    with pytest.raises(UsageError, match="no job 'dump' runs"):
        fake.ends("dump")


def test_in_real_time_a_job_lasts_as_long_as_it_says() -> None:
    fake = FakeHosts(Plan(lasts=0.3), real_time=True, latency=0.01)
    jobs, began = HostJobs(fake.host("db1")), time.monotonic()
    jobs.start(JOB)
    assert jobs.record("nightly", wait=30).finished
    assert time.monotonic() - began >= 0.3


def test_a_test_that_waits_in_vain_for_a_start_fails_and_says_so() -> None:
    with pytest.raises(UsageError, match="0 of 1 jobs 'dump' were started"):
        FakeHosts().started("dump", count=1, timeout=0)
