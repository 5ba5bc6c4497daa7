"""The system's ssh with care: who can use its connections, what it is not given, and what is left when it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
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
from lab.users import LabUser
from remotejobs.connections.base import Connection
from remotejobs.connections.ssh import openssh
from remotejobs.connections.ssh.login.askpass import MARKED, answering
from remotejobs.connections.ssh.openssh_directory import socket_directory
from remotejobs.errors import AuthenticationFailed, TimedOut, Unreachable, UsageError
from tests.awaiting import await_true
from tests.ssh.asking import ask, said
from tests.ssh.making import run

Connect = Callable[..., Connection]
pytestmark = pytest.mark.transport("openssh")
PASSWORD_ONLY = {"ansible_ssh_private_key_file": None}


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


def test_an_ssh_that_is_told_to_be_quiet_says_why_it_failed(connect: Connect, tmp_path: Path) -> None:
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


# What is done with a password.


@pytest.mark.parametrize("way", ["ProxyJump gate", "ProxyCommand ssh -F {config} -W [%h]:%p gate"])
def test_a_password_is_given_to_no_jump_host(
    connect: Connect, users_lab: SshLab, users: dict[str, LabUser], tmp_path: Path, way: str
) -> None:
    """The ssh to the jump host has the environment of the other one, and asks by the same program."""
    gate, user = users_lab.host("nobody"), users["nobody"]
    config = tmp_path / "config"
    config.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User {gate.user}\n  IdentityFile none\n"
        f"  UserKnownHostsFile {users_lab.known_hosts}\nHost 127.0.0.1\n  {way.format(config=config)}\n"
    )
    options = users_lab.variables("asked")["ansible_ssh_common_args"]
    variables = {"ansible_ssh_common_args": f"{options} -F {config}", "ansible_password": user.password}
    before = gate.log.read_text()

    with pytest.raises(Unreachable, match="Permission denied"):
        ask(connect("asked", within=users_lab, retry_for=0, **PASSWORD_ONLY, **variables), "true")
    said_there = gate.log.read_text().removeprefix(before)
    # An empty one is what ssh makes of no answer; this one would have been right.
    assert "Failed password for" in said_there
    assert "Accepted" not in said_there


def test_a_password_is_no_passphrase_and_comes_after_keys_that_want_one(
    connect: Connect, users_lab: SshLab, users: dict[str, LabUser], tmp_path: Path
) -> None:
    for name in ("one", "two", "three"):
        # Of this form only the passphrase shows which key it is.
        run("ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", "a passphrase", "-f", str(tmp_path / name))
        (tmp_path / f"{name}.pub").unlink()
    keys = " ".join(f"-i {tmp_path}/{name}" for name in ("one", "two", "three"))
    variables = {"ansible_ssh_extra_args": keys, "ansible_password": users["asked"].password}

    assert said(ask(connect("asked", within=users_lab, **PASSWORD_ONLY, **variables), "echo in")) == "in\n"


def test_a_password_is_in_no_argument_and_no_environment(
    connect: Connect, users_lab: SshLab, users: dict[str, LabUser], tmp_path: Path
) -> None:
    watched, program = tmp_path / "processes", tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\nps axeww >>{watched}\nexec ssh "$@"\n')
    program.chmod(0o700)
    password = users["asked"].password
    variables = {"ansible_ssh_executable": str(program), "ansible_password": password}

    assert said(ask(connect("asked", within=users_lab, **PASSWORD_ONLY, **variables), "echo in")) == "in\n"
    assert "REMOTEJOBS_ASKER=" in watched.read_text()
    assert password not in watched.read_text()


@pytest.mark.parametrize(
    ("question", "answered"),
    [
        ("root@code-token's password: ", True),
        ("Password: ", True),
        ("(root@new-code) Password: ", True),
        ("(root@db1) password for root: ", True),
        ("(root@db1) Verification code: ", False),
        ("(root@db1) Enter the PIN of your token: ", False),
        ("(root@db1) New password: ", False),
        ("(root@db1) Current password: ", False),
        ("(root@db1) Retype new password: ", False),
        ("root@db1's old password: ", False),
        ("Enter passphrase for key '/root/.ssh/id_ed25519': ", False),
        ("Enter PIN for 'token': ", False),
        ("Are you sure you want to continue connecting (yes/no/[fingerprint])? ", False),
    ],
)
def test_only_a_question_for_the_password_is_answered(tmp_path: Path, question: str, answered: bool) -> None:
    assert asked(tmp_path, [question]) == ["s3cr et\\\n" if answered else ""]


def test_a_question_is_answered_twice_and_then_refused_without_a_wait(tmp_path: Path) -> None:
    assert asked(tmp_path, 3 * ["Password: "]) == ["s3cr et\\\n", "s3cr et\\\n", ""]


def test_a_pin_is_said_once_and_to_the_token_alone(tmp_path: Path) -> None:
    questions = ["root@db1's password: ", "Password: ", *2 * ["Enter PIN for 'token': "]]

    assert asked(tmp_path, questions, as_pin=True) == ["", "", "s3cr et\\\n", ""]


def test_an_ssh_below_the_one_that_was_started_is_not_answered(tmp_path: Path) -> None:
    assert asked(tmp_path, ["Password: "], below="sh") == [""]


def asked(directory: Path, questions: list[str], *, as_pin: bool = False, below: str = "") -> list[str]:
    """What a program in the place of ssh, or one `below` it, is answered."""
    asking = 'for one; do "$SSH_ASKPASS" "$one"; echo "|"; done'
    if below:
        asking = f'{below} -c {shlex.quote(asking)} "$0" "$@"; :'
    with answering(directory, "s3cr et\\", as_pin=as_pin) as environment:
        words = [*MARKED, "sh", "-c", asking, "sh", *questions]
        done = subprocess.run(
            words, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=20
        )
    return done.stdout.split("|\n")[:-1]


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
