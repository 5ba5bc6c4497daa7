"""What a reaper adds: no descendant escapes the proof, and a supervisor that is killed is stood in for."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from faults.host.points import act_at
from lab.job_files import bearers_of, reaper_of, supervisor_of
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.shell.shells import ShellConnection, await_dead, await_output, ended, in_every_shell, own_memory

# Out of the session, the family and the environment: only the kernel knows which job it belongs to.
ESCAPEE = "(setsid env -i sh -c 'echo $$; exec sleep 600' &)"


def connection_of(jobs: HostJobs) -> ShellConnection:
    connection = jobs._connection
    assert isinstance(connection, ShellConnection)
    return connection


@in_every_shell
def test_a_process_that_leaves_session_family_and_environment_is_ended_and_that_is_proven(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd=f"{ESCAPEE}; sleep 600", grace=1))
    escaped = int(await_output(jobs, "j"))
    record = jobs.kill("j")
    assert (record.state, record.signal, record.proof) == (State.KILLED, "TERM", "reaped")
    assert record.msg == "killed on request; its process tree is proven empty"
    await_dead(escaped)


def test_python_reaps_where_there_is_no_perl(dash: HostJobs) -> None:
    connection_of(dash).env["PERL5OPT"] = "-w"  # perl with options of somebody's own is left alone
    dash.start(Job(jid="j", cmd=f"{ESCAPEE}; sleep 600", grace=1))
    escaped = int(await_output(dash, "j"))
    assert dash.kill("j").proof == "reaped"
    await_dead(escaped)


def test_without_either_nothing_is_called_proven(dash: HostJobs) -> None:
    connection_of(dash).adopts = False
    record = dash.start(Job(jid="j", cmd="echo ready; sleep 600", grace=1))
    await_output(dash, "j")
    killed = dash.kill("j")
    assert (killed.state, killed.proof) == (State.KILLED, "scan")
    assert killed.msg.startswith("killed on request; no process of it was found")
    assert bearers_of(record) == []


def test_a_perl_that_does_not_run_costs_no_job(dash: HostJobs, tmp_path: Path) -> None:
    (tmp_path / "bin" / "perl").write_text("#!/bin/false\n")
    (tmp_path / "bin" / "perl").chmod(0o755)
    dash.start(Job(jid="j", cmd="exit 3"))
    assert ended(dash, "j").rc == 3


@pytest.mark.parametrize("options", ["", "-w"], ids=["perl", "python"])
def test_a_job_has_the_locale_of_its_login_and_a_missing_one_makes_no_signal_of_a_status(
    dash: HostJobs, options: str
) -> None:
    env = connection_of(dash).env
    env.update(LANG="xx_YY.UTF-8", PERL5OPT=options)
    dash.start(Job(jid="unset", cmd='echo "${LC_ALL-none} ${LC_CTYPE-none} $LANG"; exit 143'))
    env["LC_ALL"] = "C"
    dash.start(Job(jid="set", cmd='echo "$LC_ALL $LANG"'))
    unset = ended(dash, "unset")
    assert (unset.stdout, unset.rc, unset.signal) == (b"none none xx_YY.UTF-8\n", 143, None)
    assert ended(dash, "set").stdout == b"C xx_YY.UTF-8\n"


@pytest.mark.parametrize("options", ["", "-w"], ids=["perl", "python"])
@in_every_shell
def test_a_job_ignores_no_signal_that_whatever_started_its_host_s_shell_ignored(jobs: HostJobs, options: str) -> None:
    connection = connection_of(jobs)
    connection.env["PERL5OPT"] = options
    # As behind nohup, and in the background of a shell.
    connection.before = ("env", "--ignore-signal=HUP,INT,QUIT,PIPE")
    jobs.start(Job(jid="j", cmd="trap - INT; kill -INT $$; sleep 600"))
    jobs.start(Job(jid="pipe", cmd="yes | head -n 1"))
    assert ended(jobs, "j").rc == 128 + signal.SIGINT
    assert ended(jobs, "pipe").stderr == b""


def test_a_job_is_not_given_what_its_reaper_needed(jobs: HostJobs) -> None:
    jobs.start(Job(jid="j", cmd="env | grep -c '^RJ_'"))
    assert ended(jobs, "j").stdout == b"0\n"


@in_every_shell
def test_a_job_whose_supervisor_is_killed_runs_on_and_its_end_is_reported(jobs: HostJobs, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    record = jobs.start(Job(jid="j", cmd=f"read -r _ <'{tmp_path}/go'; exit 4"))
    os.kill(supervisor_of(record), signal.SIGKILL)
    await_dead(supervisor_of(record))
    seen = jobs.record("j")
    assert (seen.state, "stands in for it" in seen.msg) == (State.RUNNING, True)
    (tmp_path / "go").write_text("\n")
    assert (ended(jobs, "j").state, ended(jobs, "j").rc) == (State.FAILED, 4)


@pytest.mark.parametrize("by_limit", [True, False])
def test_limit_and_kill_hold_for_a_job_whose_supervisor_was_killed(dash: HostJobs, by_limit: bool) -> None:
    record = dash.start(Job(jid="j", cmd=f"{ESCAPEE}; sleep 600", timeout=2 if by_limit else None, grace=0))
    escaped = int(await_output(dash, "j"))
    os.kill(supervisor_of(record), signal.SIGKILL)
    end = ended(dash, "j") if by_limit else dash.kill("j")
    assert (end.state, end.proof) == (State.TIMED_OUT if by_limit else State.KILLED, "reaped")
    await_dead(escaped)


def test_a_job_whose_reaper_is_killed_is_lost_and_its_end_is_not_called_proven(dash: HostJobs) -> None:
    record = dash.start(Job(jid="j", cmd="echo ready; sleep 600", grace=1))
    await_output(dash, "j")
    os.kill(reaper_of(record), signal.SIGKILL)
    lost = ended(dash, "j")
    assert (lost.state, lost.cause, lost.still_runs) == (State.LOST, "gone", True)
    killed = dash.kill("j")
    assert (killed.state, killed.proof, bearers_of(record)) == (State.KILLED, "scan", [])


@pytest.mark.parametrize("lives", [True, False])
def test_a_survivor_named_when_the_job_was_ended_is_named_by_the_result_as_long_as_it_lives(
    dash: HostJobs, lives: bool
) -> None:
    other = subprocess.Popen(["sleep", "600"])
    born = Path(f"/proc/{other.pid}/stat").read_text().rpartition(") ")[2].split()[19]
    deed = f"survivors='{other.pid}(sleep)' left='{other.pid}:{born} ' grade="
    if not lives:
        other.kill()
        other.wait()
    dash.start(Job(jid="j", cmd="echo ready; sleep 600", grace=1))
    await_output(dash, "j")
    connection_of(dash).change = lambda script: act_at(script, "rj_end_tree:10", deed)
    record = dash.kill("j")
    other.kill()
    other.wait()
    named = (f"{other.pid}(sleep)", "", False)
    assert (record.survivors, record.proof, "proven" in record.msg) == (named if lives else ("", "reaped", True))


@in_every_shell
def test_a_reaper_costs_at_most_one_megabyte_of_its_own(jobs: HostJobs) -> None:
    record = jobs.start(Job(jid="j", cmd="sleep 600"))
    assert own_memory(reaper_of(record)) <= 1024
