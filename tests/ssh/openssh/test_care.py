"""The system's ssh with care: which users can use its connections, what it is given, and what is left when it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.ports import free_ports, listening_sockets
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.connections.ssh import openssh
from remotejobs.connections.ssh.openssh_directory import socket_directory
from remotejobs.errors import AuthenticationFailed, TimedOut, Unreachable, UsageError
from tests.awaiting import await_true
from tests.ssh.asking import ask, said

Connect = Callable[..., Connection]
pytestmark = pytest.mark.transport("openssh")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_socket_lies_where_nobody_else_gets_in(connect: Connect, tmp_path: Path) -> None:
    ask(connect("db2"), "true")

    (directory,) = tmp_path.glob("rj-ssh-*")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "m").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["100%h", "$HOME", "${HOME}"])
def test_a_name_of_the_temporary_directory_that_ssh_would_fill_in_is_no_hindrance(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))

    assert said(ask(connect("db2"), "echo in")) == "in\n"


@pytest.mark.parametrize(("mode", "taken"), [(0o700, True), (0o1777, True), (0o777, False), (0o770, False)])
def test_no_socket_lies_where_others_may_put_theirs_in_its_place(
    monkeypatch: pytest.MonkeyPatch, mode: int, taken: bool
) -> None:
    # Not below tmp_path, whose name may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="rj-", dir="/tmp") as shared:
        Path(shared).chmod(mode)
        monkeypatch.setattr(tempfile, "tempdir", shared)
        directory = socket_directory()
        directory.remove()

    assert (directory.path.parent == Path(shared)) is taken


@pytest.mark.parametrize(
    "changes",
    [
        {"ansible_user": "x$(touch {pwned})"},
        {"ansible_user": "-oProxyCommand=x"},
        {"ansible_host": "-oProxyCommand=x"},
        {"ansible_host": "x`touch`"},
        {"ansible_ssh_extra_args": "-J '$(touch {pwned})@db1'"},
        {"ansible_ssh_extra_args": "-l 'a;touch'"},
        {"ansible_password": "two\nlines"},
    ],
)
def test_names_that_a_shell_could_misread_never_reach_ssh(
    connect: Connect, tmp_path: Path, changes: dict[str, str]
) -> None:
    filled = {key: value.replace("{pwned}", str(tmp_path / "pwned")) for key, value in changes.items()}

    with pytest.raises(UsageError, match="db1: |ansible_ssh_extra_args"):
        connect(**filled)
    assert not (tmp_path / "pwned").exists()


def test_an_ssh_with_loglevel_quiet_still_says_why_it_failed(connect: Connect, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("LogLevel QUIET\n")

    with pytest.raises(AuthenticationFailed, match="Permission denied"):
        ask(connect(ansible_ssh_private_key_file=None, ansible_ssh_extra_args=f"-F {config}"), "true")


def test_forwardings_of_ssh_config_are_not_for_jobs(connect: Connect, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    config = tmp_path / "config"
    config.write_text(f"LocalForward 127.0.0.1:{port} 127.0.0.1:22\nExitOnForwardFailure yes\nRemoteCommand id\n")
    options = {"ansible_ssh_extra_args": f"-F {config}"}

    assert [said(ask(connect(name, **options), "echo in")) for name in ("db1", "db2")] == ["in\n", "in\n"]
    assert not listening_sockets(port)


def test_the_words_of_a_banner_are_not_taken_for_those_of_ssh_about_its_files(connect: Connect, tmp_path: Path) -> None:
    banner = tmp_path / "banner"
    banner.write_text("Whoever sets a Bad configuration option sees this session terminating, at once.\n")
    with (
        SshLab(tmp_path / "lab", ["strict"], extra_config=[f"Banner {banner}"]) as strict,
        pytest.raises(AuthenticationFailed, match="Permission denied"),
    ):
        ask(connect("strict", within=strict, ansible_ssh_private_key_file=None), "true")


# What is left when it dies, or cannot be run.


def master_of(directory: Path) -> int:
    """The pid of the master whose socket is in a directory below this one."""
    (place,) = directory.glob("rj-ssh-*/m")
    words = ["ssh", "-F", "none", "-S", str(place), "-O", "check", "any"]
    found = re.search(r"pid=(\d+)", subprocess.run(words, capture_output=True, text=True, check=True).stderr)
    assert found
    return int(found[1])


def test_after_its_master_was_killed_the_next_question_logs_in_anew(connect: Connect, tmp_path: Path) -> None:
    connection = connect("db2")
    ask(connection, "true")
    os.kill(master_of(tmp_path), signal.SIGKILL)

    assert said(ask(connection, "echo in")) == "in\n"
    connection.close()
    assert list(tmp_path.glob("rj-ssh-*")) == []


def test_a_master_that_is_stopped_holds_nobody_up_for_ever(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openssh, "ANSWERS_WITHIN", 0.5)
    connection = connect("db2")
    ask(connection, "true")
    stopped = master_of(tmp_path)
    os.kill(stopped, signal.SIGSTOP)
    try:
        with pytest.raises(TimedOut, match="no complete answer"):
            ask(connection, "true", timeout=1)
        assert said(ask(connection, "echo in")) == "in\n"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGKILL)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """What leaves this machine without room for another process."""

    class Refused(subprocess.Popen[Any]):
        def __init__(self, *_: object, **__: object) -> None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

        def __del__(self) -> None:
            pass

    yield lambda: monkeypatch.setattr(subprocess, "Popen", Refused)
    monkeypatch.undo()


@pytest.mark.parametrize("when", ["before the login", "after it"])
def test_a_machine_without_room_for_a_process_is_named_and_the_host_is_not_blamed(
    connect: Connect, tmp_path: Path, full: Callable[[], None], when: str
) -> None:
    connection = connect("db2", retry_for=0)
    if when == "after it":
        ask(connection, "true")
    full()

    with pytest.raises(Unreachable, match=r"db2: .*on this machine: Resource temporarily.*Nothing was asked.*ulimit"):
        ask(connection, "true")
    connection.close()
    assert list(tmp_path.glob("rj-ssh-*")) == []


def test_a_disk_without_room_is_named_and_the_host_is_not_blamed(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    with pytest.raises(Unreachable, match="on this machine: No such file"):
        ask(connect("db2", retry_for=0), "true")


def test_a_proxy_command_that_stays_is_ended_with_the_ssh_that_failed(connect: Connect, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    command = f"trap '' HUP TERM PIPE; echo $$ >{pid}; while :; do sleep 60; done"
    stays = tmp_path / "stays"
    stays.write_text(f"#!/bin/sh\n{command}\n")
    stays.chmod(0o700)
    options = f"-o 'ProxyCommand={stays}' -o ConnectTimeout=1"

    with pytest.raises(TimedOut):
        ask(connect("db2", retry_for=0, ansible_ssh_args=options), "true")
    number = int(pid.read_text())
    await_true(lambda: not Path(f"/proc/{number}").exists())


def test_a_silent_server_is_given_up_with_all_that_was_started(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openssh, "WITHIN", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(TimedOut, match="was not logged in within 1 s"):
            ask(connect("db2", ansible_port=port, ansible_timeout=60, retry_for=0), "true")
    assert list(tmp_path.glob("rj-ssh-*")) == []
