"""A connection that is refused, cut or stalled: opened again, and the question asked again where that does no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from paramiko import Channel, SSHException

from lab.proxy import Proxy
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.connections.local import LocalConnection
from remotejobs.connections.ssh.transport.quick import QuickTransport
from remotejobs.errors import ConnectionLost, TimedOut
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record
from remotejobs.workarounds.paramiko.exec_request import request_exec
from tests.awaiting import await_true
from tests.ssh.asking import BY_PARAMIKO, ask, known_at, said

Connect = Callable[..., Connection]


def test_a_connection_dropped_between_two_questions_is_opened_again(connect: Connect, lab: SshLab) -> None:
    connection = connect()
    first = said(ask(connection, "echo $PPID"))
    await_true(lambda: lab.connections("db1") == 1)

    assert lab.drop_connections("db1") == 1
    assert said(ask(connection, "echo $PPID")) != first


def test_a_connection_dropped_in_the_middle_of_an_answer_asks_again(
    connect: Connect, lab: SshLab, tmp_path: Path
) -> None:
    mark = tmp_path / "asked"
    script = (
        f"echo once >> {mark}; [ $(wc -l < {mark}) -gt 1 ] || {{ echo half; kill -9 $PPID; sleep 60; }}; echo whole"
    )

    assert said(ask(connect(), script)) == "whole\n"
    assert mark.read_text() == "once\nonce\n"


def test_a_host_that_comes_back_is_asked_again(connect: Connect, lab: SshLab) -> None:
    with Proxy(lab.host("db1").port) as proxy:
        connection = connect(ansible_port=proxy.port, **known_at(lab, proxy.port))
        ask(connection, "true")
        proxy.refuse(3)
        proxy.cut()

        assert said(ask(connection, "echo back")) == "back\n"
        assert proxy.refused == 3


def test_every_question_is_answered_while_the_connection_is_cut_again_and_again(connect: Connect, lab: SshLab) -> None:
    with Proxy(lab.host("db1").port) as proxy, ThreadPoolExecutor(4) as threads:
        connection = connect(ansible_port=proxy.port, **known_at(lab, proxy.port))
        questions = [threads.submit(ask, connection, f"echo {n}; echo {'#' * 40000}") for n in range(60)]
        for done in questions[5::5]:
            done.result()
            proxy.cut()

        assert [said(question.result()).split()[0] for question in questions] == [str(n) for n in range(60)]
        assert proxy.accepted > 3


def test_what_stays_lost_is_an_error_after_the_time_for_retries(connect: Connect, lab: SshLab) -> None:
    closed = r"127\.0\.0\.1 port {0} closed the connection.*MaxStartups|Connection closed by 127\.0\.0\.1 port {0}"
    with Proxy(lab.host("db1").port) as proxy:
        proxy.refuse(1000)
        connection = connect(ansible_port=proxy.port, retry_for=0.5, **known_at(lab, proxy.port))

        with pytest.raises(ConnectionLost, match=closed.format(proxy.port)):
            ask(connection, "true")
        assert proxy.refused > 1


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    with SshLab(tmp_path_factory.mktemp("busy"), ["busy"], max_startups="10:30:60") as busy:
        yield busy


def test_sixty_connections_get_through_a_busy_sshd(connect: Connect, busy: SshLab) -> None:
    with ThreadPoolExecutor(60) as threads:
        together = threading.Barrier(60)

        def question(number: int) -> str:
            connection = connect("busy", within=busy)
            together.wait()
            return said(ask(connection, f"echo {number}"))

        assert list(threads.map(question, range(60))) == [f"{n}\n" for n in range(60)]


@BY_PARAMIKO
def test_a_connection_that_dies_while_paramiko_sends_the_script_is_opened_again(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = [EOFError(), SSHException("key exchange timed out"), OSError("broken")]

    def die_first(transport: QuickTransport, channel: Channel, command: str) -> None:
        if deaths:
            transport.close()
            raise deaths.pop()
        request_exec(transport, channel, command)

    monkeypatch.setattr("remotejobs.connections.ssh.transport.channel.request_exec", die_first)
    connection = connect()
    ask(connection, "true")  # the first session is asked for in another way
    assert said(ask(connection, "echo in")) == "in\n"
    assert deaths == []


def test_a_start_that_is_known_to_have_come_through_is_not_sent_again(
    connect: Connect, lab: SshLab, tmp_path: Path
) -> None:
    """The job may have ended since, and another caller may have cleaned it away: it would run twice."""
    ran, here = tmp_path / "ran", HostJobs(LocalConnection("here"), directory=str(tmp_path / "jobs"))
    with Proxy(lab.host("db1").port) as proxy:
        connection = connect(ansible_port=proxy.port, **known_at(lab, proxy.port))

        def clean_and_cut(_: Record) -> None:
            await_true(ran.exists)
            proxy.stall()
            here.kill("j", grace=0)
            assert [record.jid for record in here.clean(older_than=0)] == ["j"]
            proxy.cut()
            proxy.resume()

        jobs = HostJobs(connection, directory=str(tmp_path / "jobs"))
        jobs.start(Job(jid="j", cmd=f"echo once >>{ran}; sleep 600"), wait=10, on_start=clean_and_cut)
    assert (here.list(), ran.read_text()) == ((), "once\n")


def test_a_network_that_swallows_everything_ends_at_the_deadline(connect: Connect, lab: SshLab) -> None:
    with Proxy(lab.host("db1").port) as proxy:
        connection = connect(ansible_port=proxy.port, **known_at(lab, proxy.port))
        ask(connection, "true")
        proxy.stall()

        with pytest.raises(TimedOut):
            ask(connection, "true", timeout=0.3)
        proxy.resume()
        assert said(ask(connection, "echo well")) == "well\n"


@BY_PARAMIKO
def test_a_shell_that_is_killed_before_it_said_anything_is_a_lost_connection(connect: Connect) -> None:
    """The system's ssh has an exit code for it. The caller may ask again, as after any lost connection."""
    with pytest.raises(ConnectionLost, match="closed the session before the shell said anything"):
        ask(connect(retry_for=0), "kill -9 $$")
