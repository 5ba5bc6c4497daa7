"""Jobs that want a lock or a slot wait for it on their host, seen by all, in order, and no two hold it at once."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.job_files import bearers_of, fields_of, kill_supervision, supervisor_of
from remotejobs.errors import JobExists, StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State
from tests.awaiting import await_true
from tests.shell.shells import await_dead, await_none, await_output, ended, in_every_shell


def held(tmp_path: Path, jid: str, **wants: Any) -> Job:
    """A job that says when it began, and ends when it is told to."""
    go = tmp_path / f"go-{jid}"
    os.mkfifo(go)
    return Job(jid=jid, cmd=f"echo {jid} >>'{tmp_path}/begun'; read -r _ <'{go}'", **wants)


def let_go(tmp_path: Path, jid: str) -> None:
    (tmp_path / f"go-{jid}").write_text("\n")


def waits(record: Record) -> int:
    return int(fields_of(record.results_dir, "queued")["supervisor"].split()[0])


def await_state(jobs: HostJobs, jid: str, state: State) -> Record:
    await_true(lambda: jobs.record(jid).state is state)
    return jobs.record(jid)


def tickets(record: Record) -> list[str]:
    return sorted(path.name for path in (Path(record.results_dir).parent / ".queue").glob("*/*"))


@in_every_shell
def test_a_job_waits_for_its_lock_and_says_for_whom_and_where_it_stands(jobs: HostJobs, tmp_path: Path) -> None:
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
    assert (tmp_path / "begun").read_text().split() == ["first", "second", "third"]
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
    assert [one.jid for one in jobs.clean(older_than=0)] != [] and tickets(second) == []


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
        "queue limit of 1 s exceeded: it waited for lock apt, held by first; the command was never started"
    )
    assert record.delta is not None and record.delta >= 1
    await_none(second)
    timer = int(fields_of(third.results_dir, "queued")["timer"].split()[0])
    assert jobs.record("third").msg.endswith("held by first; number 1 in line")
    let_go(tmp_path, "first")
    assert ended(jobs, "third").state is State.SUCCEEDED
    await_dead(timer)
    assert not (tmp_path / "ran").exists() and tickets(second) == []


def test_the_queue_limit_ends_a_job_whose_supervisor_is_stopped(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(Job(jid="second", cmd="true", locks=("apt",), queue_timeout=2))
    os.kill(waits(second), signal.SIGSTOP)
    assert jobs.record("second", wait=60).state is State.TIMED_OUT


def test_a_queue_limit_that_no_longer_holds_is_told(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(held(tmp_path, "second", locks=("apt",), queue_limit=600))
    os.kill(timer := int(fields_of(second.results_dir, "queued")["timer"].split()[0]), signal.SIGKILL)
    await_dead(timer)
    assert jobs.record("second").msg.endswith(f"its timer {timer} is gone: the queue limit no longer holds")
    let_go(tmp_path, "first")
    await_state(jobs, "second", State.RUNNING)


def test_what_is_taken_out_of_the_line_is_not_called_lost_before_its_end_is_told(
    dash: HostJobs, tmp_path: Path
) -> None:
    dash.start(held(tmp_path, "first", locks=("apt",)))
    second = dash.start(held(tmp_path, "second", locks=("apt",), queue_limit=600))
    directory = Path(second.results_dir)
    timer = int(fields_of(directory, "queued")["timer"].split()[0])
    os.link(directory / "queued", directory / "job")  # as its timer or a kill does; its turn comes at that moment
    os.kill(waits(second), signal.SIGKILL)
    await_dead(waits(second))
    assert (dash.record("second").state, "it is being ended" in dash.record("second").msg) == (State.QUEUED, True)
    os.kill(timer, signal.SIGKILL)
    await_dead(timer)
    record = dash.record("second")
    assert (record.state, record.cause, record.msg.endswith("kill it again")) == (State.LOST, "never", True)
    assert dash.kill("second").state is State.KILLED


def test_killing_a_queued_job_ends_its_timer_too(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(Job(jid="second", cmd="true", locks=("apt",), queue_timeout=600))
    assert jobs.kill("second").state is State.KILLED
    await_dead(int(fields_of(second.results_dir, "queued")["timer"].split()[0]))


def test_a_queued_job_whose_supervisor_was_killed_is_lost_was_not_run_and_can_be_started_again(
    jobs: HostJobs, tmp_path: Path
) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    job = held(tmp_path, "second", locks=("apt",))
    os.kill(pid := waits(jobs.start(job)), signal.SIGKILL)
    await_dead(pid)
    record = jobs.record("second")
    assert (record.state, record.cause) == (State.LOST, "never")
    assert "gone before its turn came: the command was not run" in record.msg
    assert jobs.start(Job(jid="third", cmd="true", locks=("apt",))).msg.endswith("number 1 in line")
    again = jobs.start(job)
    assert (again.state, again.attached) == (State.QUEUED, False)
    let_go(tmp_path, "first")
    await_state(jobs, "second", State.RUNNING)


def test_the_lock_of_a_killed_supervisor_is_held_until_its_command_has_ended(jobs: HostJobs, tmp_path: Path) -> None:
    first = jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(held(tmp_path, "second", locks=("apt",)))
    kill_supervision(first)
    await_dead(supervisor_of(first))
    assert jobs.record("first").still_runs
    assert second.state is jobs.record("second", wait=1).state is State.QUEUED
    let_go(tmp_path, "first")
    await_state(jobs, "second", State.RUNNING)
    assert len(tickets(second)) == 1


def test_the_lock_of_a_killed_supervisor_is_held_until_nobody_of_its_job_is_left(dash: HostJobs) -> None:
    stubborn = "(trap '' TERM; echo ready; while :; do sleep 1; done) & wait"
    first = dash.start(Job(jid="first", cmd=stubborn, locks=("apt",), grace=600))
    await_output(dash, "first")
    dash.start(Job(jid="second", cmd="true", locks=("apt",)))
    os.kill(supervisor_of(first), signal.SIGKILL)
    await_dead(supervisor_of(first))
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(dash.kill, "first")
        assert first.pid
        await_dead(first.pid)
        assert dash.record("second").state is State.QUEUED
        for pid in bearers_of(first):
            os.kill(pid, signal.SIGKILL)
        assert (killed.result().state, killed.result().proof) == (State.KILLED, "reaped")
    assert ended(dash, "second").state is State.SUCCEEDED


def test_killing_the_job_of_a_killed_supervisor_lets_the_next_go_on(jobs: HostJobs, tmp_path: Path) -> None:
    first = jobs.start(held(tmp_path, "first", locks=("apt",)))
    jobs.start(held(tmp_path, "second", locks=("apt",)))
    kill_supervision(first)
    await_dead(supervisor_of(first))
    jobs.kill("first", grace=0)
    await_state(jobs, "second", State.RUNNING)


def test_a_queued_job_of_before_a_reboot_is_told_and_is_in_nobodys_way(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(held(tmp_path, "second", locks=("apt",)))
    os.kill(waits(second), signal.SIGKILL)
    base = Path(second.results_dir).parent
    told = base / "second" / "queued"
    boot = fields_of(second.results_dir, "queued")["boot"]
    told.write_text(told.read_text().replace(boot, "earlier"))
    (queue,) = (base / ".queue").iterdir()
    queue.rename(base / ".queue" / queue.name.replace(boot, "earlier"))
    assert (jobs.record("second").state, jobs.record("second").cause) == (State.LOST, "never")
    assert "rebooted while the job was queued" in jobs.record("second").msg
    assert jobs.start(held(tmp_path, "third", locks=("apt",))).state is State.RUNNING
    jobs.clean(older_than=3600)
    assert list((base / ".queue").iterdir()) == [queue]


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
    assert (tmp_path / "begun").read_text().split() == ["first", "second"]


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


def test_who_came_to_stand_before_another_without_seeing_him_draws_anew(dash: HostJobs, tmp_path: Path) -> None:
    # A mv that is overtaken: while it puts the first ticket into its place, a later one has come there.
    born = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    later = f"echo 'other {os.getpid()} {born} lock:apt=1' >\"${{2%/*}}/00000007.aa\"; rm '{tmp_path}/once'"
    script = (
        f"#!/bin/sh\ncase $2 in */.queue/*) [ ! -e '{tmp_path}/once' ] || {{ {later}; }} ;; esac\nexec /bin/mv \"$@\"\n"
    )
    (tmp_path / "bin" / "mv").write_text(script)
    (tmp_path / "bin" / "mv").chmod(0o755)
    (tmp_path / "once").touch()
    record = dash.start(Job(jid="j", cmd="true", locks=("apt",)))
    assert (record.state, record.msg) == (State.QUEUED, "waits for lock apt, held by other; number 1 in line")
    assert [name[:8] for name in tickets(record)] == ["00000007", "00000008"]


def test_where_nobody_can_stand_in_line_nothing_is_started(dash: HostJobs, tmp_path: Path) -> None:
    base = Path(ended(dash, dash.start(Job(jid="other", cmd="true")).jid).results_dir).parent
    (base / ".queue").write_text("no directory")
    with pytest.raises(StartFailed, match="cannot stand in line"):
        dash.start(Job(jid="j", cmd="true", locks=("apt",)))
    assert not (base / "j").exists()


def test_several_locks_are_waited_for_without_ever_waiting_for_each_other(jobs: HostJobs, tmp_path: Path) -> None:
    orders = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "a"), ("a", "b", "c"), ("c", "b")] * 2
    cmd = f"cd '{tmp_path}' && mkdir $L && sleep 0.02 && rmdir $L"
    with ThreadPoolExecutor(8) as pool:
        for number, locks in enumerate(orders):
            pool.submit(jobs.start, Job(jid=f"j{number}", cmd=cmd, locks=locks, slots=3, env={"L": " ".join(locks)}))
    records = [ended(jobs, f"j{number}") for number in range(len(orders))]
    assert {record.state for record in records} == {State.SUCCEEDED}, [record.stderr for record in records]
    assert tickets(records[0]) == []


@in_every_shell
def test_of_many_that_come_at_once_while_supervisors_are_killed_never_two_hold_the_lock(
    jobs: HostJobs, tmp_path: Path
) -> None:
    # What is killed leaves its command behind, which holds on; the directory shows whether two were there at once.
    cmd = f"mkdir '{tmp_path}/held' || {{ echo two >&2; exit 1; }}; sleep 0.1; rmdir '{tmp_path}/held'"
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda number: jobs.start(Job(jid=f"j{number}", cmd=cmd, locks=("l",))), range(10)))
    for record in started[::4]:
        name = "job" if (Path(record.results_dir) / "job").exists() else "queued"
        if (Path(record.results_dir) / name).exists():
            os.kill(int(fields_of(record.results_dir, name)["supervisor"].split()[0]), signal.SIGKILL)
    for record in started:
        assert b"two" not in ended(jobs, record.jid).stderr
