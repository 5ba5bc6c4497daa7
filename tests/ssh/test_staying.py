"""Shells that stay open from question to question, beside all else that a connection has to carry."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from remotejobs.agent.request import Read
from remotejobs.connections.base import Connection, Stay
from remotejobs.connections.ssh.connection import SshConnection
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import WAITS
from remotejobs.model import Job, State
from tests.awaiting import await_true
from tests.ssh.asking import BY_PARAMIKO, ask, said

Connect = Callable[..., Connection]


@BY_PARAMIKO
def test_a_shell_that_stays_answers_every_status_until_it_dies_and_then_another_does(
    connect: Connect, tmp_path: Path
) -> None:
    connection = connect()
    jobs = HostJobs(connection, directory=str(tmp_path / "jobs"))
    jobs.start(Job(jid="j", cmd="sleep 600"))
    shells = []
    with Stay() as stay:
        for number in range(4):
            assert jobs.status([Read("j")], stay=stay)[0].state is State.RUNNING
            shells.append(stay.shell)
            if number == 1:  # over there, all shells of this connection but the one that says so
                said(ask(connection, "for one in $(ps -o pid= --ppid $PPID); do [ $one = $$ ] || kill -9 $one; done"))
        assert shells[0] is shells[1]
        assert len({said(ask(connection, f"echo {number}")) for number in range(20)}) == 20
    assert stay.shell is None
    jobs.kill("j", grace=0)
    assert jobs.record("j").state is State.KILLED


@BY_PARAMIKO
def test_shells_that_stay_leave_a_session_for_others_and_end_where_they_are_closed(
    connect: Connect, tmp_path: Path
) -> None:
    connection = connect()
    jobs = HostJobs(connection, directory=str(tmp_path / "jobs"))
    jobs.start(Job(jid="j", cmd="true"), wait=30)
    stays = [Stay() for _ in range(20)]
    for stay in stays:
        jobs.status([Read("j")], stay=stay)
    assert 1 <= sum(stay.shell is not None for stay in stays) <= 2
    for stay in stays:
        stay.close()
    await_true(lambda: said(ask(connection, "ps -o pid= --ppid $PPID | wc -l")).strip() == "1")


@BY_PARAMIKO
def test_a_kill_finds_a_session_beside_idle_shells_that_stay_and_all_waits(connect: Connect, tmp_path: Path) -> None:
    connection = connect()
    assert isinstance(connection, SshConnection)
    jobs = HostJobs(connection, directory=str(tmp_path / "jobs"), waits=threading.Semaphore(WAITS))
    for jid in ("j", "other"):
        jobs.start(Job(jid=jid, cmd="sleep 600"))
    stays = [Stay() for _ in range(20)]
    for stay in stays:
        jobs.status([Read("other")], stay=stay)
    with ThreadPoolExecutor(WAITS) as threads:
        waiting = [threads.submit(jobs.record, "j", wait=20) for _ in range(WAITS)]
        await_true(lambda: connection._sessions._value <= 1)  # they are there, but for those that find no room
        jobs.kill("j", grace=0)
        assert {each.result().state for each in waiting} == {State.KILLED}
    for stay in stays:
        stay.close()
    jobs.kill("other", grace=0)
