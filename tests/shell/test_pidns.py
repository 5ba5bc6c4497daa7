"""A job of root in a pid namespace of its own: when the first process of that is gone, no process is left."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from faults.host.machine import busybox_without
from faults.host.namespace import namespace
from lab.job_files import read, reaper_of
from remotejobs.errors import StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State
from tests.awaiting import await_true
from tests.shell.shells import ShellConnection, await_output, ended, host_jobs, in_every_shell

NOBODY = 65534
_NUMBERS = count()
JOB = Job(jid="j", cmd="true", launcher="pidns", grace=0)


def connection_of(jobs: HostJobs) -> ShellConnection:
    connection = jobs._connection
    assert isinstance(connection, ShellConnection)
    return connection


class Escapee:
    """Out of the session, the family and the environment, and deaf to TERM; known by how long it sleeps."""

    def __init__(self) -> None:
        self.seconds = f"600.{os.getpid()}{next(_NUMBERS)}"
        self.cmd = f"(setsid env -i sh -c \"trap '' TERM; exec sleep {self.seconds}\" &)"

    def lives(self) -> bool:
        words = f"sleep\0{self.seconds}\0".encode()
        return any(read(process / "cmdline") == words for process in Path("/proc").glob("[0-9]*"))


def started(jobs: HostJobs, escapee: Escapee) -> Record:
    record = jobs.start(replace(JOB, cmd=f"{escapee.cmd}; echo started; sleep 600"))
    await_output(jobs, "j")
    await_true(escapee.lives)
    return record


@in_every_shell
def test_without_a_reaper_the_end_of_its_first_process_proves_that_nobody_is_left(jobs: HostJobs) -> None:
    connection_of(jobs).adopts = False
    escapee = Escapee()
    started(jobs, escapee)
    record = jobs.kill("j")
    assert (record.state, record.proof, record.survivors) == (State.KILLED, "pidns", "")
    assert record.msg == "killed on request; its process tree is proven empty"
    assert not escapee.lives()


def test_the_proof_outlives_the_reaper(dash: HostJobs) -> None:
    escapee = Escapee()
    record = started(dash, escapee)
    os.kill(reaper_of(record), signal.SIGKILL)
    assert ended(dash, "j").state is State.LOST
    assert dash.kill("j").proof == "pidns"
    assert not escapee.lives()


@in_every_shell
def test_a_command_has_its_output_and_code_and_the_namespace_ends_with_it(jobs: HostJobs, tmp_path: Path) -> None:
    escapee = Escapee()
    os.mkfifo(tmp_path / "go")
    seen = 'set -- /proc/[0-9]*; echo "$# $REMOTEJOBS_JID $X"; echo odd >&2'
    cmd = f"{seen}; {escapee.cmd}; read -r _ <'{tmp_path}/go'; exit 3"
    jobs.start(replace(JOB, cmd=cmd, env={"X": "it's"}))
    await_true(escapee.lives)
    (tmp_path / "go").write_text("\n")
    record = ended(jobs, "j")
    assert (record.state, record.rc, record.stderr) == (State.FAILED, 3, b"odd\n")
    number, rest = record.stdout.split(b" ", 1)
    assert (int(number) < 5, rest) == (True, b"j it's\n"), "it sees no process but its own"
    assert not escapee.lives()


def test_a_user_other_than_root_is_refused_with_the_remedy() -> None:
    with TemporaryDirectory() as name:
        os.chown(name, NOBODY, NOBODY)
        jobs = HostJobs(ShellConnection("/usr/bin:/bin", Path(name), user=NOBODY), directory=f"{name}/jobs")
        refusal = "no pid namespace for it: only root can have one; or start it with the launcher plain"
        with pytest.raises(StartFailed, match=refusal):
            jobs.start(JOB)
        assert jobs.list() == ()


def test_where_none_can_be_made_the_job_is_refused_in_the_words_of_unshare(dash: HostJobs, tmp_path: Path) -> None:
    (tmp_path / "bin" / "unshare").write_text("#!/bin/sh\necho 'unshare: not permitted' >&2\nexit 1\n")
    (tmp_path / "bin" / "unshare").chmod(0o755)
    with pytest.raises(StartFailed, match="no pid namespace for it: unshare: not permitted; or start it with"):
        dash.start(JOB)
    assert dash.list() == ()


@pytest.mark.parametrize("adopts", [True, False])
def test_in_a_container_which_may_make_namespaces_it_proves_the_same(dash: HostJobs, adopts: bool) -> None:
    connection = connection_of(dash)
    connection.adopts = adopts
    escapee = Escapee()
    with namespace() as container:
        connection.before = container.front
        started(dash, escapee)
        record = dash.kill("j")
        assert (record.state, record.proof) == (State.KILLED, "reaped" if adopts else "pidns")
        assert not escapee.lives()


def test_a_host_with_nothing_but_busybox_whose_unshare_knows_less_refuses_it_and_scans(tmp_path: Path) -> None:
    """As on Alpine, where nothing is called proven without perl and Python."""
    for jobs in host_jobs(tmp_path, str(busybox_without(tmp_path / "bin", ""))):
        with pytest.raises(StartFailed, match="no pid namespace for it: unshare: .*kill-child.*; or start it with"):
            jobs.start(JOB)
        jobs.start(Job(jid="k", cmd="echo started; sleep 600", grace=0))
        await_output(jobs, "k")
        assert (jobs.kill("k").state, jobs.record("k").proof) == (State.KILLED, "scan")
