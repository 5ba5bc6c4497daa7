"""A timeout or an idle timeout ends the whole process tree, whatever happens to its timer and supervisor."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lab.job_files import bearers_of, fields_of, kill_supervision, supervisor_of
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.awaiting import await_true
from tests.shell.shells import STUBBORN, await_dead, ended, in_every_shell


@in_every_shell
def test_the_time_limit_ends_children_that_ignore_term_or_left_the_session(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd=STUBBORN, timeout=1, grace=1))
    end = ended(jobs, "j")
    assert (end.state, end.signal, end.stdout) == (State.TIMED_OUT, "KILL", b"before\n")
    assert (end.msg, end.survivors) == ("time limit of 1 s exceeded; its process tree is proven empty", "")
    assert bearers_of(record) == []


def test_grace_lets_a_command_clean_up_and_keeps_what_it_said(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd="trap 'echo cleaned; exit 5' TERM; while :; do sleep 0.1; done", timeout=1))
    record = ended(jobs, "j")
    assert (record.state, record.rc, record.stdout) == (State.TIMED_OUT, 5, b"cleaned\n")


@in_every_shell
def test_a_job_that_ends_in_time_leaves_its_children_alone_and_no_timer_behind(jobs: HostJobs, tmp_path: Path) -> None:
    record = jobs.start(Job(jid="j", cmd=f"sleep 600 & echo $! >'{tmp_path}/pid'", timeout=600))
    assert ended(jobs, "j").state is State.SUCCEEDED
    child = int((tmp_path / "pid").read_text())
    assert bearers_of(record) == [child]
    os.kill(child, signal.SIGKILL)


@in_every_shell
def test_a_stopped_timer_is_reported(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600", timeout=600))
    timer = int(fields_of(record.results_dir)["timer"].split()[0])
    os.kill(timer, signal.SIGSTOP)
    await_true(
        lambda: f"its timer {timer} is stopped by a signal: the time limit does not hold" in jobs.record("j").msg
    )
    os.kill(supervisor_of(record), signal.SIGSTOP)
    await_true(lambda: "its supervising process" in jobs.record("j").msg and "its timer" in jobs.record("j").msg)
    for pid in (timer, supervisor_of(record)):
        os.kill(pid, signal.SIGCONT)
    await_true(lambda: jobs.record("j").msg == "")
    os.kill(timer, signal.SIGKILL)
    await_true(lambda: f"its timer {timer} is gone" in jobs.record("j").msg)


def test_a_stopped_timer_of_a_queued_job_is_reported(jobs: HostJobs) -> None:
    jobs.start(Job(jid="first", cmd="sleep 600", locks=("apt",)))
    record = jobs.start(Job(jid="second", cmd="true", locks=("apt",), queue_timeout=600))
    timer = int(fields_of(record.results_dir, "queued")["timer"].split()[0])
    os.kill(timer, signal.SIGSTOP)
    await_true(
        lambda: (
            f"its timer {timer} is stopped by a signal: the queue timeout does not hold" in jobs.record("second").msg
        )
    )
    assert jobs.record("second").msg.startswith("waits for lock apt")


@in_every_shell
def test_silence_beyond_the_stall_limit_ends_the_job_and_what_ran_is_reported(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd=f"{STUBBORN} # in silence", idle_timeout=1, grace=1))
    end = ended(jobs, "j")
    assert (end.state, end.stdout) == (State.STALLED, b"before\n")
    assert end.msg == "no output for 1 s; its process tree is proven empty"
    assert "sleep 600" in end.processes
    assert bearers_of(record) == []


def test_output_on_either_stream_keeps_a_job_from_being_stalled(jobs: HostJobs) -> None:
    # For longer than the idle timeout and what it may take to see it.
    for stream in (1, 2):
        cmd = f"for n in 1 2 3 4 5 6 7 8 9; do echo $n >&{stream}; sleep 0.4; done"
        jobs.start(Job(jid=f"j{stream}", cmd=cmd, idle_timeout=2))
    assert [ended(jobs, f"j{stream}").state for stream in (1, 2)] == [State.SUCCEEDED] * 2


def test_the_time_limit_holds_for_a_talkative_job_with_an_idle_timeout(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd="while :; do echo; sleep 0.2; done", timeout=1, idle_timeout=60, grace=0))
    end = ended(jobs, "j")
    assert end.state is State.TIMED_OUT
    assert "sh " in end.processes


@in_every_shell
def test_the_limit_is_a_time_and_not_the_end_of_somebodys_sleep(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600", timeout=600))
    timer = int(fields_of(record.results_dir)["timer"].split()[0])

    def naps() -> list[str]:
        return Path(f"/proc/{timer}/task/{timer}/children").read_text().split()

    await_true(lambda: bool(naps()))
    first = naps()
    os.kill(int(first[0]), signal.SIGKILL)
    await_true(lambda: naps() not in ([], first))
    assert jobs.record("j").state is State.RUNNING
    os.kill(timer, signal.SIGKILL)
    await_dead(timer)
    assert "the time limit no longer holds" in jobs.record("j").msg


def test_the_limit_holds_for_a_command_whose_supervisor_was_killed(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600", timeout=2, grace=0))
    kill_supervision(record)
    assert record.pid
    await_dead(record.pid)
    assert bearers_of(record) == []
    assert ended(jobs, "j").state is State.LOST


@pytest.mark.faults
@pytest.mark.parametrize("number", [12, pytest.param(200, marks=[pytest.mark.slowest, pytest.mark.timeout(900)])])
def test_of_many_stubborn_jobs_none_survives_its_limit(dash: HostJobs, number: int) -> None:
    kinds = (
        STUBBORN,
        "trap '' TERM; while :; do sleep 0.05 & wait; done",
        "setsid -f sh -c 'sleep 600'; (setsid sh -c 'sleep 600 & sleep 600' &); sleep 600",
        "sleep 600",
    )
    records = [dash.start(Job(jid=f"j{n}", cmd=kinds[n % 4], timeout=1 + n % 3, grace=1)) for n in range(number)]
    for record in records:
        end = ended(dash, record.jid)
        assert (end.state, "proven empty" in end.msg) == (State.TIMED_OUT, True), end.msg
        assert bearers_of(record) == []
