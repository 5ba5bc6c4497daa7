"""One connection for each host: reused, bounded, and clean at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection, Question, Reply
from remotejobs.errors import ProtocolError, TimedOut
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
def test_a_server_that_counts_its_channels_otherwise_is_asked_once_more_and_waited_for(
    connect: Connect, lab: SshLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("remotejobs.workarounds.paramiko.eager._FIRST", 7)
    asked = tmp_path / "asked"
    assert said(ask(connect(), f"echo once >>{asked}; echo in")) == "in\n"
    assert asked.read_text() == "once\n"


def test_an_exchange_ends_at_its_deadline(connect: Connect) -> None:
    connection = connect()

    with pytest.raises(TimedOut, match="db1: no complete answer within 0.3 s"):
        ask(connection, "sleep 600", timeout=0.3)
    assert said(ask(connection, "echo well")) == "well\n"


def test_a_closed_connection_opens_again_and_leaves_nothing_behind(
    connect: Connect, lab: SshLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The reader of an idle connection is woken by the closing, not by its clock.
    monkeypatch.setattr("remotejobs.workarounds.paramiko.idle_transport.IDLE_WAKE", 3600.0)
    before, others = _transports(), lab.connections("db2")  # of flows that ran in this process, for instance
    connection = connect("db2")
    ask(connection, "true")
    opened = _transports() - before
    connection.close()

    await_true(lambda: lab.connections("db2") <= others)
    await_true(lambda: not opened & _transports())  # others may be opened meanwhile, by what earlier tests left to end
    assert said(ask(connection, "echo again")) == "again\n"


def test_a_noisy_login_does_not_disturb(connect: Connect, lab: SshLab) -> None:
    rc = lab.host("db2").home / ".bashrc"
    rc.write_text("echo Welcome; echo beware >&2; printf 'no newline'; trap 'echo Bye' EXIT\n")
    try:
        reply = ask(connect("db2"), "echo ---; echo out")
    finally:
        rc.unlink()

    assert said(reply).endswith("---\nout\n")
    assert "Welcome" in said(reply), "bash did not read its start-up file, so this shows nothing"


def _transports() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "QuickTransport" in type(thread).__name__}
