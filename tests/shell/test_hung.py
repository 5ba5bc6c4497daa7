"""A process that hangs and wakes up late finds another in its place, and leaves it alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from faults.host.points import act_at
from lab.job_files import kill_supervision
from remotejobs.agent import request
from remotejobs.connections.base import Question
from remotejobs.errors import JobExists, StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.awaiting import await_true
from tests.shell.shells import SHELLS, ShellConnection, await_output, ended, in_every_shell, shell_path


@contextmanager
def hanging(jobs: HostJobs, point: str, tmp_path: Path, ask: Any) -> Iterator[Future[Any]]:
    """`ask` hangs at that point of the agent for as long as the block lasts."""
    there, go = tmp_path / "there", tmp_path / "go-on"
    os.mkfifo(go)
    connection = jobs._connection
    assert isinstance(connection, ShellConnection)
    deed = f"[ -e '{there}' ] || {{ : >'{there}'; read -r _ <'{go}'; }}"
    connection.change = lambda script: act_at(script, point, deed)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        await_true(lambda: there.exists() or asked.done())
        assert there.exists(), asked.result()
        connection.change = lambda script: script
        try:
            yield asked
        finally:
            # Open for both, as the hung process may have been killed.
            with os.fdopen(os.open(go, os.O_RDWR), "wb", buffering=0) as end:
                end.write(b"\n")
                pool.shutdown()


def once(tmp_path: Path) -> Job:
    """A job that says each time that it runs, and goes on."""
    return Job(jid="j", cmd=f"echo ran >>'{tmp_path}/ran'; echo started; sleep 600", grace=0)


def assert_runs_alone(jobs: HostJobs, tmp_path: Path) -> None:
    """The one that was started while another hung is the only one, and can be seen and ended."""
    again = jobs.start(once(tmp_path))
    assert (again.state, again.attached) == (State.RUNNING, True)
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert jobs.kill("j").state is State.KILLED


# Where the gate is about to be taken, and where it has just been, by perl and by the command itself, which does it
# where there is no perl.
BEFORE_GATE = (("adopt:23", ""), ("rj_take_gate:5", "-w"))
BEHIND_GATE = (("adopt:24", ""), ("rj_take_gate:7", "-w"))


def with_perl_options(jobs: HostJobs, options: str) -> None:
    """With any, perl is left alone."""
    connection = jobs._connection
    assert isinstance(connection, ShellConnection)
    connection.env["PERL5OPT"] = options


# With nothing but its directory, with a supervisor, with all its files, at the gate.
STARTS = (("rj_detach:1", ""), ("rj_supervise:3", ""), ("rj_supervise:14", ""), *BEFORE_GATE)


@in_every_shell
@pytest.mark.parametrize(("point", "options"), STARTS)
def test_a_start_that_hung_while_its_job_was_killed_and_started_anew_touches_nothing_of_it(
    jobs: HostJobs, tmp_path: Path, point: str, options: str
) -> None:
    with_perl_options(jobs, options)
    with hanging(jobs, point, tmp_path, lambda: jobs.start(once(tmp_path))) as hung:
        assert jobs.kill("j").cause == "never"
        jobs.start(once(tmp_path))
        await_output(jobs, "j")
    reported = hung.exception()
    assert_runs_alone(jobs, tmp_path)
    assert isinstance(reported, StartFailed) and "was taken away" in reported.message


def timer_in(directory: Path) -> str:
    """The process whose child sleeps there."""
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if each.joinpath("cwd").readlink() == directory and b"sleep" in each.joinpath("cmdline").read_bytes():
                return each.joinpath("stat").read_text().rpartition(")")[2].split()[1]
    return ""


@in_every_shell
@pytest.mark.parametrize(("point", "options"), BEFORE_GATE)
def test_a_start_that_hangs_at_its_gate_for_longer_than_its_time_limit_ends_no_job_of_another_start(
    jobs: HostJobs, tmp_path: Path, point: str, options: str
) -> None:
    with_perl_options(jobs, options)
    limited = Job(jid="j", cmd="true", timeout=1, grace=0)
    with hanging(jobs, point, tmp_path, lambda: jobs.start(limited)) as hung:
        directory, found = Path(jobs._directory, "j"), ""
        while not found:
            found = timer_in(directory)
        jobs.start(once(tmp_path))
        await_output(jobs, "j")
        await_true(lambda: not Path("/proc", found).exists())
        assert jobs.record("j").state is State.RUNNING
    assert isinstance(hung.exception(), JobExists)
    assert_runs_alone(jobs, tmp_path)


@pytest.mark.parametrize(("point", "options"), BEFORE_GATE)
def test_a_start_that_hung_for_a_day_at_its_gate_and_was_cleaned_away_touches_nothing(
    jobs: HostJobs, tmp_path: Path, point: str, options: str
) -> None:
    with_perl_options(jobs, options)
    with hanging(jobs, point, tmp_path, lambda: jobs.start(once(tmp_path))) as hung:
        os.utime(f"{jobs._directory}/j", (0, 0))
        assert [record.cause for record in jobs.clean(older_than=0)] == ["never"]
        jobs.start(once(tmp_path))
        await_output(jobs, "j")
    reported = hung.exception()
    assert_runs_alone(jobs, tmp_path)
    assert isinstance(reported, StartFailed) and "was taken away" in reported.message


@pytest.mark.parametrize(("point", "options"), BEFORE_GATE)
def test_a_start_that_was_about_to_run_when_it_was_cleaned_away_runs_nothing(
    jobs: HostJobs, tmp_path: Path, point: str, options: str
) -> None:
    with_perl_options(jobs, options)
    with hanging(jobs, point, tmp_path, lambda: jobs.start(once(tmp_path))) as hung:
        os.utime(f"{jobs._directory}/j", (0, 0))
        assert len(jobs.clean(older_than=0)) == 1
    with pytest.raises(StartFailed, match="was taken away"):
        hung.result()
    assert not (tmp_path / "ran").exists()
    assert not jobs.start(once(tmp_path)).attached


@pytest.mark.parametrize(("point", "options"), [*BEHIND_GATE, ("rj_launch:4", "")])
def test_a_start_that_is_held_up_between_its_gate_and_its_command_is_reported_as_running_and_can_be_killed(
    jobs: HostJobs, tmp_path: Path, point: str, options: str
) -> None:
    with_perl_options(jobs, options)
    with hanging(jobs, point, tmp_path, lambda: jobs.start(once(tmp_path))):
        assert [(record.state, record.cause) for record in jobs.list()] == [(State.RUNNING, "")]
        assert jobs.kill("j").state is State.KILLED
    assert not (tmp_path / "ran").exists()


@in_every_shell
@pytest.mark.parametrize(("point", "numbered"), [("rj_launch:4", False), ("rj_launch:5", True)])
def test_a_command_whose_reaper_is_killed_before_it_has_seen_it_with_its_own_number_written_does_not_run(
    jobs: HostJobs, tmp_path: Path, point: str, numbered: bool
) -> None:
    """So it is true that nothing runs where both are dead and no number of a command is there."""
    with hanging(jobs, point, tmp_path, lambda: jobs.start(once(tmp_path))):
        started = jobs.record("j")
        assert (started.state, started.pid is not None) == (State.RUNNING, numbered)
        kill_supervision(started)
        await_true(lambda: jobs.record("j").finished)
        lost = jobs.record("j")
        assert (lost.state, lost.cause, lost.still_runs) == (State.LOST, "gone", numbered)
    await_true(lambda: not jobs.record("j").still_runs, within=60)
    assert not (tmp_path / "ran").exists()


def test_a_start_whose_directory_is_cleaned_away_before_it_is_in_there_says_so(jobs: HostJobs, tmp_path: Path) -> None:
    jobs.start(Job(jid="j", cmd="true"))
    ended(jobs, "j")
    with hanging(jobs, "rj_start:16", tmp_path, lambda: jobs.start(once(tmp_path))) as hung:
        assert len(jobs.clean(older_than=-1)) == 1
    with pytest.raises(StartFailed, match="was taken away"):
        hung.result()


@in_every_shell
def test_a_start_that_was_sent_twice_and_hung_the_first_time_is_one_job(jobs: HostJobs, tmp_path: Path) -> None:
    connection = jobs._connection
    assert isinstance(connection, ShellConnection)
    sent = request.start(once(tmp_path), jobs._directory)

    def send() -> bytes:
        question = Question(sent.script, end=sent.end, timeout=60, max_bytes=sent.max_bytes)
        return connection.ask(question).stdout

    with hanging(jobs, "adopt:17", tmp_path, send) as hung:
        assert b"state running" in send()
        await_output(jobs, "j")
    assert b"attached 1\n" in hung.result() and b"state running" in hung.result()
    assert_runs_alone(jobs, tmp_path)


@in_every_shell
def test_a_kill_that_hung_before_it_took_the_directory_away_takes_no_other(jobs: HostJobs, tmp_path: Path) -> None:
    with hanging(jobs, "rj_detach:1", tmp_path, lambda: jobs.start(once(tmp_path))):
        (tmp_path / "kill").mkdir()
        with hanging(jobs, "rj_void:1", tmp_path / "kill", lambda: jobs.kill("j")):
            jobs.kill("j")
            jobs.start(once(tmp_path))
            await_output(jobs, "j")
    assert_runs_alone(jobs, tmp_path)


@in_every_shell
def test_a_clean_that_hung_while_another_cleaned_takes_no_job_that_was_started_since(
    jobs: HostJobs, tmp_path: Path
) -> None:
    jobs.start(once(tmp_path))
    await_output(jobs, "j")
    jobs.kill("j")
    (tmp_path / "ran").unlink()
    with hanging(jobs, "rj_take_away:2", tmp_path, lambda: jobs.clean(older_than=-1)) as hung:
        jobs.clean(older_than=-1)
        jobs.start(once(tmp_path))
        await_output(jobs, "j")
    hung.result()
    assert_runs_alone(jobs, tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_output_that_grows_without_end_keeps_no_status(shell: str, tmp_path: Path) -> None:
    """It was short when it was measured; here a FIFO has no end, but would be read if it were a file."""
    fifo, path = tmp_path / "stdout", shell_path(tmp_path / "bin", shell)
    os.mkfifo(fifo)
    tries = "; ".join(f"j_state={state} && rj_short stdout '{fifo}' || echo no" for state in ("succeeded", "running"))
    script = f"{request.agent_text('rj_short')}\nlength=3 j_runs=\n{tries}\n"
    with os.fdopen(os.open(fifo, os.O_RDWR), "wb", buffering=0) as job:
        job.write(b"one\ntwo\nthree\n")
        said = subprocess.run(
            ["sh", "-s"], input=script.encode(), capture_output=True, check=True, timeout=60, env={"PATH": path}
        )
    assert said.stdout == b"no\nno\n"
