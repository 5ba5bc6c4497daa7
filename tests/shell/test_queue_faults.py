"""A queue whose supervisors and timers are killed or stopped, or whose directory is not as it should be."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.job_files import bearers_of, fields_of, kill_supervision, supervisor_of
from remotejobs.errors import StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.shell.queueing import await_state, held, let_go, tickets, waits
from tests.shell.shells import await_dead, await_output, ended, in_every_shell


def test_the_queue_limit_ends_a_job_whose_supervisor_is_stopped(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(Job(jid="second", cmd="true", locks=("apt",), queue_timeout=2))
    os.kill(waits(second), signal.SIGSTOP)
    assert jobs.record("second", wait=60).state is State.TIMED_OUT


def test_a_queue_limit_that_no_longer_holds_is_reported(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(held(tmp_path, "second", locks=("apt",), queue_timeout=600))
    os.kill(timer := int(fields_of(second.results_dir, "queued")["timer"].split()[0]), signal.SIGKILL)
    await_dead(timer)
    assert jobs.record("second").msg.endswith(f"its timer {timer} is gone: the queue timeout no longer holds")
    let_go(tmp_path, "first")
    await_state(jobs, "second", State.RUNNING)


def test_a_job_taken_out_of_the_line_is_not_called_lost_before_its_end_is_recorded(
    dash: HostJobs, tmp_path: Path
) -> None:
    dash.start(held(tmp_path, "first", locks=("apt",)))
    second = dash.start(held(tmp_path, "second", locks=("apt",), queue_timeout=600))
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


def test_a_queued_job_of_before_a_reboot_is_reported_and_blocks_no_other(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(held(tmp_path, "first", locks=("apt",)))
    second = jobs.start(held(tmp_path, "second", locks=("apt",)))
    os.kill(waits(second), signal.SIGKILL)
    base = Path(second.results_dir).parent
    reported = base / "second" / "queued"
    boot = fields_of(second.results_dir, "queued")["boot"]
    reported.write_text(reported.read_text().replace(boot, "earlier"))
    (queue,) = (base / ".queue").iterdir()
    queue.rename(base / ".queue" / queue.name.replace(boot, "earlier"))
    assert (jobs.record("second").state, jobs.record("second").cause) == (State.LOST, "never")
    assert "rebooted while the job was queued" in jobs.record("second").msg
    assert jobs.start(held(tmp_path, "third", locks=("apt",))).state is State.RUNNING
    jobs.clean(older_than=3600)
    assert list((base / ".queue").iterdir()) == [queue]


def test_a_ticket_placed_before_one_that_it_did_not_see_is_drawn_anew(dash: HostJobs, tmp_path: Path) -> None:
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
