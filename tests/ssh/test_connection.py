"""One connection for each host: reused, bounded, opened again when it was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from paramiko import Channel, SSHException

from lab.proxy import Proxy
from lab.servers.sshd import SshLab
from remotejobs.agent.request import Read
from remotejobs.connections.base import Connection, Question, Reply, Stay
from remotejobs.connections.local import LocalConnection
from remotejobs.connections.ssh.connection import SshConnection
from remotejobs.connections.ssh.transport.quick import QuickTransport
from remotejobs.errors import ConnectionLost, ProtocolError, TimedOut
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import WAITS
from remotejobs.model import Job, Record, State
from remotejobs.workarounds.paramiko.exec_request import request_exec
from tests.awaiting import await_true
from tests.ssh.asking import BY_PARAMIKO, END, ask, said

Connect = Callable[..., Connection]
MIB = 1024 * 1024


def test_an_answer_comes_back(connect: Connect) -> None:
    assert said(ask(connect(), "echo out")) == "out\n"


@BY_PARAMIKO
def test_a_login_needs_no_thread_as_a_clock(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(threading, "Timer")
    assert said(ask(connect(), "echo out")) == "out\n"


def test_both_streams_of_a_script_that_fails_come_back(connect: Connect) -> None:
    reply = ask(connect(), "echo out; echo err >&2; exit 3")

    assert (reply.stdout, reply.stderr) == (b"out\n", b"err\n")


def test_one_connection_serves_many_questions(connect: Connect, lab: SshLab) -> None:
    connection = connect()

    # The parent of the shell is the sshd process that serves this connection.
    assert len({said(ask(connection, "echo $PPID")) for _ in range(5)}) == 1
    # Those of other tests may take a moment to end.
    await_true(lambda: lab.connections("db1") == 1)


def test_more_threads_than_sshd_allows_sessions_share_one_connection(connect: Connect) -> None:
    connection = connect()

    with ThreadPoolExecutor(30) as threads:
        answers = list(threads.map(lambda n: said(ask(connection, f"echo {n} $PPID")).split(), range(60)))

    assert [int(number) for number, _ in answers] == list(range(60))
    assert len({parent for _, parent in answers}) == 1


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
        connection = connect(ansible_port=proxy.port, **_known_at(lab, proxy))
        ask(connection, "true")
        proxy.refuse(3)
        proxy.cut()

        assert said(ask(connection, "echo back")) == "back\n"
        assert proxy.refused == 3


def test_every_question_is_answered_while_the_connection_is_cut_again_and_again(connect: Connect, lab: SshLab) -> None:
    with Proxy(lab.host("db1").port) as proxy, ThreadPoolExecutor(4) as threads:
        connection = connect(ansible_port=proxy.port, **_known_at(lab, proxy))
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
        connection = connect(ansible_port=proxy.port, retry_for=0.5, **_known_at(lab, proxy))

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


def test_two_mebibytes_on_both_streams_at_once_do_not_block(connect: Connect) -> None:
    size = 2 * MIB + 1
    reply = ask(connect(), f"head -c {size} /dev/zero >&2\nhead -c {size} /dev/zero")

    assert len(said(reply)) == size
    assert len(reply.stderr) == 8 * 1024


def test_a_script_longer_than_the_window_is_sent_while_the_answer_is_read(connect: Connect) -> None:
    line = "echo " + "x" * 1000 + "\n"

    assert len(said(ask(connect(), line * 3000))) == 3000 * 1001


def test_more_output_than_allowed_is_damage(connect: Connect) -> None:
    with pytest.raises(ProtocolError, match="db1: the answer is longer than 1000 bytes"):
        ask(connect(), "yes", max_bytes=1000)


def test_reading_stops_at_the_end_mark(connect: Connect) -> None:
    reply = ask(connect(), "(sleep 0.2; echo late; sleep 600) & printf 'early\\nthe-%s\\n' end; wait")

    assert said(reply) == "early\n"


def test_an_answer_without_the_end_mark_is_incomplete(connect: Connect) -> None:
    reply = ask(connect(), "echo half; exit 3")

    assert not reply.complete
    assert reply.stdout == b"half\n"


def test_a_script_that_ends_without_the_end_mark_is_not_waited_for(connect: Connect) -> None:
    reply = connect().ask(Question(b"echo half\n", end=END, timeout=600, max_bytes=100))

    assert reply == Reply(b"half\n", b"", complete=False)


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


@BY_PARAMIKO
def test_a_server_that_counts_its_channels_otherwise_is_asked_once_more_and_waited_for(
    connect: Connect, lab: SshLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("remotejobs.workarounds.paramiko.eager._FIRST", 7)
    asked = tmp_path / "asked"
    assert said(ask(connect(), f"echo once >>{asked}; echo in")) == "in\n"
    assert asked.read_text() == "once\n"


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


def test_a_start_that_is_known_to_have_come_through_is_not_sent_again(
    connect: Connect, lab: SshLab, tmp_path: Path
) -> None:
    """The job may have ended since, and another caller may have cleaned it away: it would run twice."""
    ran, here = tmp_path / "ran", HostJobs(LocalConnection("here"), directory=str(tmp_path / "jobs"))
    with Proxy(lab.host("db1").port) as proxy:
        connection = connect(ansible_port=proxy.port, **_known_at(lab, proxy))

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


def test_an_exchange_ends_at_its_deadline(connect: Connect) -> None:
    connection = connect()

    with pytest.raises(TimedOut, match="db1: no complete answer within 0.3 s"):
        ask(connection, "sleep 600", timeout=0.3)
    assert said(ask(connection, "echo well")) == "well\n"


def test_a_network_that_swallows_everything_ends_at_the_deadline(connect: Connect, lab: SshLab) -> None:
    with Proxy(lab.host("db1").port) as proxy:
        connection = connect(ansible_port=proxy.port, **_known_at(lab, proxy))
        ask(connection, "true")
        proxy.stall()

        with pytest.raises(TimedOut):
            ask(connection, "true", timeout=0.3)
        proxy.resume()
        assert said(ask(connection, "echo well")) == "well\n"


def test_a_closed_connection_opens_again_and_leaves_nothing_behind(
    connect: Connect, lab: SshLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The reader of an idle connection is woken by the closing, not by its clock.
    monkeypatch.setattr("remotejobs.workarounds.paramiko.idle_transport.IDLE_WAKE", 3600.0)
    before = _transports()
    connection = connect("db2")
    ask(connection, "true")
    connection.close()

    await_true(lambda: lab.connections("db2") == 0)
    await_true(lambda: _transports() <= before)
    assert said(ask(connection, "echo again")) == "again\n"


@BY_PARAMIKO
def test_a_shell_that_is_killed_before_it_said_anything_is_a_lost_connection(connect: Connect) -> None:
    """The system's ssh has an exit code for it. The caller may ask again, as after any lost connection."""
    with pytest.raises(ConnectionLost, match="closed the session before the shell said anything"):
        ask(connect(retry_for=0), "kill -9 $$")


def test_a_noisy_login_does_not_disturb(connect: Connect, lab: SshLab) -> None:
    rc = lab.host("db2").home / ".bashrc"
    rc.write_text("echo Welcome; echo beware >&2; printf 'no newline'; trap 'echo Bye' EXIT\n")
    try:
        reply = ask(connect("db2"), "echo ---; echo out")
    finally:
        rc.unlink()

    assert said(reply).endswith("---\nout\n")
    assert "Welcome" in said(reply), "bash did not read its start-up file, so this shows nothing"


def _known_at(lab: SshLab, proxy: Proxy) -> dict[str, str]:
    """The lab's host key, expected at the proxy's port."""
    known = lab.known_hosts.with_name(f"known_at_{proxy.port}")
    key = lab.known_hosts.read_text().splitlines()[0].split(" ", 1)[1]
    known.write_text(f"[127.0.0.1]:{proxy.port} {key}\n")
    return {"ansible_ssh_common_args": f"-o UserKnownHostsFile={known}"}


def _transports() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "QuickTransport" in type(thread).__name__}
