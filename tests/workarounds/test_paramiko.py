"""Each workaround for paramiko does what it is for, and paramiko by itself does not."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paramiko import Channel, SFTPClient, SSHException, Transport
from paramiko.packet import Packetizer

from remotejobs.workarounds.paramiko import idle_transport
from remotejobs.workarounds.paramiko.eager import EagerTransport
from remotejobs.workarounds.paramiko.exec_request import request_exec
from remotejobs.workarounds.paramiko.idle_transport import IdleTransport
from remotejobs.workarounds.paramiko.packets import BoundedPacketizer
from remotejobs.workarounds.paramiko.read_ahead import CHUNK, UNDERWAY, ReadAhead
from remotejobs.workarounds.paramiko.wake_on_input import wake_on_input
from tests.workarounds.paramiko_pair import CONTACT_TIMEOUT, NEVER, Pair, pair

CONTENT = os.urandom(3 * CHUNK * UNDERWAY // 2)
OPEN_FILES = Path("/proc/self/fd")
ANNOUNCED = 0x7FFFFFFC  # bytes; of a length that fits the blocks of a connection that is not encrypted yet


def comes_back(function: Callable[[], object], end: Callable[[], object]) -> bool:
    """Whether `function` returns or raises by itself; otherwise `end` is what ends it."""

    def quietly() -> None:
        try:
            function()
        except (EOFError, OSError, SSHException):
            return

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    thread.join(NEVER)
    by_itself = not thread.is_alive()
    end()
    thread.join(CONTACT_TIMEOUT)
    assert not thread.is_alive()
    return by_itself


# without_invoke


def test_invoke_is_not_imported() -> None:
    imported = "from remotejobs.connections.ssh import connection, files; import sys; sys.exit('invoke' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imported]).returncode == 0


def test_paramiko_by_itself_imports_invoke() -> None:
    imported = "import sys, paramiko.config; sys.exit('invoke' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imported]).returncode == 1


# exec_request


def test_a_command_is_asked_for_without_waiting_for_consent() -> None:
    with pair() as both:
        channel, _ = both.channel()
        request_exec(both.client, channel, "true")
        assert both.server.asked.wait(CONTACT_TIMEOUT)
        assert (both.server.commands, both.server.consent.is_set()) == ([b"true"], False)


def test_paramiko_by_itself_waits_for_consent_whatever_the_time_limit() -> None:
    with pair() as both:
        channel, _ = both.channel()
        channel.settimeout(NEVER / 10)
        assert not comes_back(lambda: channel.exec_command("true"), both.server.consent.set)


# eager


def test_a_command_whose_session_was_not_asked_for_follows_no_other_session() -> None:
    with pair(EagerTransport) as both:
        client = both.client
        assert isinstance(client, EagerTransport)
        client.remote_version = "SSH-2.0-OpenSSH_10.0"
        client.clear_to_send.clear()  # as while new keys are agreed on, here for too long
        client.clear_to_send_timeout = NEVER / 10
        with pytest.raises(SSHException):
            client.open_session_with("early", CONTACT_TIMEOUT)
        client.clear_to_send.set()
        both.server.consent.set()
        channel, _ = both.channel()
        channel.exec_command("late")
        assert both.server.commands == [b"late"]


# wake_on_input


@pytest.fixture
def both() -> Iterator[Pair]:
    with pair() as connected:
        yield connected


@pytest.mark.parametrize("arrive", [Channel.sendall, Channel.sendall_stderr, lambda there, _: there.close()])
def test_whatever_arrives_and_the_end_wake_the_waiting_reader(
    both: Pair, arrive: Callable[[Channel, bytes], None]
) -> None:
    here, there = both.channel()
    wake = threading.Event()
    wake_on_input(here, wake)
    assert not wake.is_set()
    arrive(there, b"said")
    assert wake.wait(CONTACT_TIMEOUT)


def test_paramiko_by_itself_needs_file_descriptors_for_that(both: Pair) -> None:
    here, _ = both.channel()
    before = len(list(OPEN_FILES.iterdir()))
    here.fileno()
    assert len(list(OPEN_FILES.iterdir())) > before


# packets


def announcing(kind: type[Packetizer], length: int) -> tuple[Packetizer, socket.socket]:
    """A packetizer on which a packet of so many bytes begins to arrive."""
    ours, theirs = socket.socketpair()
    ours.settimeout(NEVER / 10)
    theirs.sendall(struct.pack(">IB", length, 4) + bytes(64))
    return kind(ours), theirs


def test_a_packet_longer_than_any_is_refused_at_its_first_bytes() -> None:
    packetizer, theirs = announcing(BoundedPacketizer, ANNOUNCED)
    with theirs, pytest.raises(SSHException, match="a packet of .* bytes was announced"):
        packetizer.read_message()
    packetizer.close()


def test_paramiko_by_itself_waits_for_such_a_packet() -> None:
    packetizer, theirs = announcing(Packetizer, ANNOUNCED)
    with theirs:
        assert not comes_back(packetizer.read_message, packetizer.close)


class _NeverRead(socket.socket):
    """The peer at its other end does not read."""

    def send(self, *_: object) -> int:
        raise TimeoutError


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute goes by whenever the clock is read."""
    clock = itertools.count(time.time(), 60.0)
    for name in ("monotonic", "time"):
        monkeypatch.setattr(time, name, clock.__next__)


@pytest.mark.usefixtures("hours")
def test_a_write_to_a_peer_that_does_not_read_has_an_end() -> None:
    with pytest.raises(EOFError):
        BoundedPacketizer(_NeverRead()).write_all(b"said")


@pytest.mark.usefixtures("hours")
def test_paramiko_by_itself_writes_for_ever() -> None:
    packetizer = Packetizer(_NeverRead())
    assert not comes_back(lambda: packetizer.write_all(b"said"), packetizer.close)


class _JumpHostGone(socket.socket):
    def close(self) -> None:
        super().close()
        raise EOFError


def test_closing_over_a_jump_host_that_is_gone_raises_nothing() -> None:
    BoundedPacketizer(_JumpHostGone()).close()


def test_paramiko_by_itself_raises_there() -> None:
    with pytest.raises(EOFError):
        Packetizer(_JumpHostGone()).close()


# idle_transport


def test_an_idle_transport_sleeps_and_is_woken_by_its_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_transport, "IDLE_WAKE", 3600.0)
    with pair(IdleTransport) as both:
        assert both.client.sock.gettimeout() == 3600.0
        both.client.close()
        both.client.join(CONTACT_TIMEOUT)
        assert not both.client.is_alive()


def test_paramiko_by_itself_polls_many_times_a_second() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert 0 < (Transport(ours).sock.gettimeout() or 0) < 1


# read_ahead


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Those that are started from now on."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def record(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", record)
    return started


def sftp_of(both: Pair) -> SFTPClient:
    client = SFTPClient.from_transport(both.client)
    assert client is not None
    return client


def test_a_file_is_read_ahead_in_one_thread(threads: list[threading.Thread]) -> None:
    with pair(file=CONTENT) as both, sftp_of(both).open("any") as file:
        threads.clear()
        assert b"".join(ReadAhead(file.sftp, file.handle).chunks(0, len(CONTENT))) == CONTENT
        assert threads == []


def test_paramiko_by_itself_reads_ahead_in_another_thread(threads: list[threading.Thread]) -> None:
    with pair(file=CONTENT) as both, sftp_of(both).open("any") as file:
        threads.clear()
        file.prefetch(len(CONTENT))
        assert file.read() == CONTENT
        assert threads != []
