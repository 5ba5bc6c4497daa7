"""Jobs that want a lock or a slot wait for it on their host, seen by all, in order, and no two hold it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.job_files import fields_of
from remotejobs.errors import JobExists
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.awaiting import await_true
from tests.shell.queueing import await_state, held, let_go, tickets
from tests.shell.shells import await_dead, await_none, ended, in_every_shell


@in_every_shell
def test_a_job_waits_for_its_lock_and_names_the_holder_and_its_own_place_in_line(
    jobs: HostJobs, tmp_path: Path
) -> None:
    first = jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(held(tmp_path, "second", locks=("apt",), label="the second"))
    third = jobs.start(held(tmp_path, "third", locks=("apt",)))
    assert (first.state, second.state, third.state) == (State.RUNNING, State.QUEUED, State.QUEUED)
    assert second.msg == "waits for lock apt, held by first; number 1 in line"
    assert third.msg == "waits for lock apt, held by first; number 2 in line"
    assert (second.start, second.pid, second.finished, second.label) == ("", None, False, "the second")
    assert [record.state for record in jobs.list()] == [State.RUNNING, State.QUEUED, State.QUEUED]
    assert [record.msg for record in jobs.list()] == ["", second.msg, third.msg]
    for jid in ("first", "second", "third"):
        let_go(tmp_path, jid)
        assert ended(jobs, jid).state is State.SUCCEEDED
        if jid == "first":
            assert await_state(jobs, "second", State.RUNNING).label == "the second"
    assert (tmp_path / "started").read_text().split() == ["first", "second", "third"]
    await_true(lambda: not tickets(first))


def test_jobs_with_other_locks_or_none_do_not_wait(jobs: HostJobs, tmp_path: Path) -> None:
    wants: list[dict[str, Any]] = [
        {"locks": ("db:orders",)},
        {"locks": ("db:users",)},
        {},
        {"slots": 1},
        {"slots": 1, "pool": "dumps"},
    ]
    for number, want in enumerate(wants):
        assert jobs.start(held(tmp_path, f"j{number}", **want)).state is State.RUNNING


def test_of_a_pool_so_many_run_as_it_has_slots(jobs: HostJobs, tmp_path: Path) -> None:
    started = [jobs.start(held(tmp_path, f"j{number}", slots=2, pool="dumps")) for number in range(4)]
    assert [record.state for record in started] == [State.RUNNING] * 2 + [State.QUEUED] * 2
    assert started[3].msg == "waits for one of 2 slots in dumps; number 2 in line"
    let_go(tmp_path, "j1")
    assert await_state(jobs, "j2", State.RUNNING).state is State.RUNNING
    assert jobs.record("j3").msg == "waits for one of 2 slots in dumps; number 1 in line"
    for jid in ("j0", "j2"):
        let_go(tmp_path, jid)
    await_state(jobs, "j3", State.RUNNING)


def test_limits_count_from_when_its_turn_came(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    jobs.start(Job(jid="second", cmd="sleep 600", locks=("apt",), timeout=1, grace=0))
    await_true(lambda: (jobs.record("second").delta or 0) > 1.2)
    assert jobs.record("second").state is State.QUEUED
    let_go(tmp_path, "first")
    record = ended(jobs, "second")
    assert (record.state, record.start >= jobs.record("first").end) == (State.TIMED_OUT, True)
    assert record.delta is not None and record.delta >= 1


def test_killing_a_queued_job_runs_nothing_ever_and_the_next_goes_on(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(Job(jid="second", cmd=f"echo ran >'{tmp_path}/ran'", locks=("apt",)))
    third = jobs.start(Job(jid="third", cmd="true", locks=("apt",)))
    assert third.msg.endswith("number 2 in line")
    record = jobs.kill("second")
    assert (record.state, record.rc, record.pid) == (State.KILLED, None, None)
    assert record.msg == "killed on request while it was queued: nothing was run, and now nothing can be"
    assert jobs.kill("second") == record
    await_none(second)
    assert jobs.record("third").msg.endswith("held by first; number 1 in line")
    assert jobs.start(Job(jid="second", cmd=f"echo ran >'{tmp_path}/ran'", locks=("apt",))).state is State.KILLED
    let_go(tmp_path, "first")
    assert ended(jobs, "third").state is State.SUCCEEDED
    assert not (tmp_path / "ran").exists()
    assert [one.jid for one in jobs.clean(older_than=0)] != []
    await_true(lambda: tickets(second) == [])


@in_every_shell
def test_a_job_that_is_queued_for_too_long_ends_never_started_and_the_next_goes_on(
    jobs: HostJobs, tmp_path: Path
) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(Job(jid="second", cmd=f"echo ran >'{tmp_path}/ran'", locks=("apt",), slots=9, queue_timeout=1))
    third = jobs.start(Job(jid="third", cmd="true", locks=("apt",), queue_timeout=600))
    assert (second.state, third.state) == (State.QUEUED, State.QUEUED)
    record = jobs.record("second", wait=60)
    assert (record.state, record.rc, record.pid, record.start) == (State.TIMED_OUT, None, None, "")
    assert record.msg == (
        "queue timeout of 1 s exceeded: it waited for lock apt, held by first; the command was never started"
    )
    assert record.delta is not None and record.delta >= 1
    await_none(second)
    timer = int(fields_of(third.results_dir, "queued")["timer"].split()[0])
    assert jobs.record("third").msg.endswith("held by first; number 1 in line")
    let_go(tmp_path, "first")
    assert ended(jobs, "third").state is State.SUCCEEDED
    await_dead(timer)
    assert not (tmp_path / "ran").exists()
    await_true(lambda: tickets(second) == [])  # the third's supervisor takes its ticket away behind the result


def test_killing_a_queued_job_ends_its_timer_too(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(Job(jid="second", cmd="true", locks=("apt",), queue_timeout=600))
    assert jobs.kill("second").state is State.KILLED
    await_dead(int(fields_of(second.results_dir, "queued")["timer"].split()[0]))


def test_a_queued_job_that_is_started_again_is_attached_to_and_stays_where_it_stands(
    jobs: HostJobs, tmp_path: Path
) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    job = held(tmp_path, "second", locks=("apt",))
    with ThreadPoolExecutor(6) as pool:
        records = list(pool.map(lambda _: jobs.start(job), range(6)))
    assert {record.state for record in records} == {State.QUEUED}
    assert [record.attached for record in records].count(False) == 1
    assert len(tickets(records[0])) == 2
    with pytest.raises(JobExists):
        jobs.start(Job(jid="second", cmd="something else", locks=("apt",)))
    let_go(tmp_path, "first")
    await_state(jobs, "second", State.RUNNING)
    let_go(tmp_path, "second")
    assert ended(jobs, "second").state is State.SUCCEEDED
    assert (tmp_path / "started").read_text().split() == ["first", "second"]


@in_every_shell
def test_a_job_that_cannot_be_started_when_its_turn_comes_says_why(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    (tmp_path / "place").mkdir()
    jobs.start(Job(jid="second", cmd="true", chdir=str(tmp_path / "place"), locks=("apt",)))
    (tmp_path / "place").rmdir()
    let_go(tmp_path, "first")
    record = ended(jobs, "second")
    assert (record.state, record.cause) == (State.LOST, "never")
    assert f"could not be started: cannot change to {tmp_path}/place" in record.msg


def test_several_locks_are_waited_for_without_ever_waiting_for_each_other(jobs: HostJobs, tmp_path: Path) -> None:
    orders = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "a"), ("a", "b", "c"), ("c", "b")] * 2
    cmd = f"cd '{tmp_path}' && mkdir $L && sleep 0.02 && rmdir $L"
    with ThreadPoolExecutor(8) as pool:
        for number, locks in enumerate(orders):
            pool.submit(jobs.start, Job(jid=f"j{number}", cmd=cmd, locks=locks, slots=3, env={"L": " ".join(locks)}))
    records = [ended(jobs, f"j{number}") for number in range(len(orders))]
    assert {record.state for record in records} == {State.SUCCEEDED}, [record.stderr for record in records]
    await_true(lambda: tickets(records[0]) == [])
