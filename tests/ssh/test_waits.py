"""Waits on real hosts that hold no thread here: the answer comes by the connection's own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from lab.servers.sshd import SshLab
from remotejobs.connections.base import Become, Connection
from remotejobs.connections.ssh.connection import KEPT, SESSIONS, SshConnection
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.watch import JobWatch
from remotejobs.model import Job, State
from tests.awaiting import await_true
from tests.ssh.asking import BY_PARAMIKO, ask, said

Connect = Callable[..., Connection]

LONG = 120.0  # seconds; nothing here takes so long


def apart() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "watch apart"]


def await_kept(connection: Connection) -> str:
    """The pid of the shell that waits there, once no thread waits for it here."""
    await_true(lambda: not apart())
    command = "for one in $(ps -o pid= --ppid $PPID); do [ $one = $$ ] || echo $one; done"
    await_true(lambda: bool(said(ask(connection, command)).split()))
    return said(ask(connection, command)).split()[0]


def there(tmp_path: Path, name: str) -> str:
    """Wait over there for a file, which the test makes."""
    return f"while [ ! -e {tmp_path}/{name} ]; do sleep 0.05; done"


@BY_PARAMIKO
def test_an_end_is_reported_once_also_when_the_waiting_shell_or_the_connection_died_before(
    connect: Connect, tmp_path: Path
) -> None:
    connection = connect()
    jobs = HostJobs(connection, directory=str(tmp_path / "jobs"))
    jids = ("quiet", "of-shell", "of-connection")
    for jid in jids:
        jobs.start(Job(jid=jid, cmd=there(tmp_path, jid)))
    watch = JobWatch({"host": jids}, lambda _: jobs)
    news = watch.news(LONG)
    await_kept(connection)
    (tmp_path / "quiet").touch()
    assert next(news).jid == "quiet"
    said(ask(connection, f"kill -9 {await_kept(connection)}"))
    (tmp_path / "of-shell").touch()
    assert next(news).jid == "of-shell"
    await_kept(connection)
    os.kill(int(said(ask(connection, "echo $PPID"))), signal.SIGKILL)
    (tmp_path / "of-connection").touch()
    assert [(each.jid, each.record and each.record.state) for each in news if each.is_last] == [
        ("of-connection", State.SUCCEEDED)
    ]
    assert not watch.pending


@BY_PARAMIKO
def test_a_wait_as_another_user_whom_sudo_asks_for_a_password_holds_no_thread(
    connect: Connect, users_lab: SshLab, tmp_path: Path
) -> None:
    connection = connect("asked", within=users_lab)
    jobs = HostJobs(connection, become=Become(password="a pass'word"), directory=str(tmp_path / "jobs"))
    jobs.start(Job(jid="j", cmd=there(tmp_path, "go")))
    news = JobWatch({"host": ["j"]}, lambda _: jobs).news(LONG)
    await_kept(connection)
    (tmp_path / "go").touch()
    assert [each.record and each.record.state for each in news] == [State.SUCCEEDED]


@BY_PARAMIKO
def test_a_watch_that_is_stopped_gives_its_shell_and_its_session_back(connect: Connect, tmp_path: Path) -> None:
    connection = connect()
    assert isinstance(connection, SshConnection)
    jobs = HostJobs(connection, directory=str(tmp_path / "jobs"))
    jobs.start(Job(jid="j", cmd="sleep 600"))
    watch = JobWatch({"host": ["j"]}, lambda _: jobs)
    await_kept(connection)
    assert (connection._kept._value, connection._sessions._value) == (KEPT - 1, SESSIONS - 1)
    watch.stop()
    await_true(lambda: (connection._kept._value, connection._sessions._value) == (KEPT, SESSIONS))
    jobs.kill("j", grace=0)


@BY_PARAMIKO
def test_a_start_that_waits_holds_no_thread_and_says_when_its_job_has_ended(connect: Connect, tmp_path: Path) -> None:
    connection, told = connect(), threading.Event()
    jobs = HostJobs(connection, directory=str(tmp_path / "jobs"))
    pending = jobs.start_soon(Job(jid="j", cmd=there(tmp_path, "go")), wait=60, on_answer=told.set)
    assert not pending.is_over()
    told.clear()
    (tmp_path / "go").touch()
    await_true(lambda: told.wait(LONG) and pending.is_over())
    records = pending.records()
    assert records and records[0].state is State.SUCCEEDED
    assert isinstance(connection, SshConnection)
    assert connection._sessions._value == SESSIONS


@BY_PARAMIKO
def test_nobody_may_wait_for_a_start_any_more(connect: Connect, tmp_path: Path) -> None:
    connection = connect()
    assert isinstance(connection, SshConnection)
    jobs = HostJobs(connection, directory=str(tmp_path / "jobs"))
    jobs.start_soon(Job(jid="j", cmd="sleep 600"), wait=60).close()
    assert connection._sessions._value == SESSIONS
    assert jobs.record("j").state is State.RUNNING
    assert jobs.start_soon(Job(jid="k", cmd="true"), wait=60).records()  # the wait was given back
    jobs.kill("j", grace=0)


@BY_PARAMIKO
def test_an_end_is_known_also_when_the_connection_died_while_its_start_waited(connect: Connect, tmp_path: Path) -> None:
    connection = connect()
    jobs = HostJobs(connection, directory=str(tmp_path / "jobs"))
    job = Job(jid="j", cmd=f"{there(tmp_path, 'go')}; exit 3")
    watch = JobWatch(
        {"host": ["j"]},
        lambda _: jobs,
        forks=1,
        start=lambda jobs, on_start, on_answer: jobs.start_soon(job, wait=60, on_start=on_start, on_answer=on_answer),
    )
    news = watch.until_over()
    assert next(news).started
    os.kill(int(said(ask(connection, "echo $PPID"))), signal.SIGKILL)
    await_kept(connection)
    (tmp_path / "go").touch()
    assert [each.record and each.record.rc for each in news if each.is_last] == [3]
