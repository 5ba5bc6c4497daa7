"""sudo over a connection: with and without a password, and never a script into a prompt."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Become, Connection
from remotejobs.errors import BecomeFailed, UsageError
from tests.ssh.asking import ask, said

Connect = Callable[..., Connection]
Users = dict[str, LabUser]


def test_sudo_without_a_password(connect: Connect, users_lab: SshLab) -> None:
    connection = connect("trusted", within=users_lab)

    assert said(ask(connection, "id -un", become=Become("root"))) == "root\n"
    assert said(ask(connection, "id -un; echo $HOME", become=Become("nobody"))).splitlines()[0] == "nobody"


def test_sudo_with_a_password(connect: Connect, users_lab: SshLab, users: Users) -> None:
    reply = ask(connect("asked", within=users_lab), "id -un", become=Become("root", users["asked"].password))

    assert said(reply) == "root\n"
    assert b"remotejobs" not in reply.stderr


def test_a_wrong_password_is_said_and_no_script_reaches_the_prompt(
    connect: Connect, users_lab: SshLab, tmp_path: Path
) -> None:
    with pytest.raises(BecomeFailed, match="asked: sudo did not accept the password") as refused:
        ask(connect("asked", within=users_lab), f"touch {tmp_path}/ran", become=Become("root", "wr0ng-one"))

    assert "wr0ng-one" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


def test_a_password_that_sudo_does_not_ask_for_is_never_run(
    connect: Connect, users_lab: SshLab, tmp_path: Path
) -> None:
    command = f"touch {tmp_path}/the-password-was-run"
    reply = ask(connect("trusted", within=users_lab), "id -un", become=Become("root", command))

    assert said(reply) == "root\n"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_password_fails_in_sudos_own_words(connect: Connect, users_lab: SshLab) -> None:
    with pytest.raises(BecomeFailed, match="asked: sudo to root failed: sudo: a password is required"):
        ask(connect("asked", within=users_lab), "id -un", become=Become("root"))


def test_somebody_without_the_right_fails_in_sudos_own_words(connect: Connect, users_lab: SshLab, users: Users) -> None:
    with pytest.raises(BecomeFailed, match="is not in the sudoers file"):
        ask(connect("nobody", within=users_lab), "id -un", become=Become("root", users["nobody"].password))


def test_an_unknown_become_user_is_named(connect: Connect, users_lab: SshLab) -> None:
    with pytest.raises(BecomeFailed, match="sudo: unknown user:? no-such-user"):
        ask(connect("trusted", within=users_lab), "id -un", become=Become("no-such-user"))


def test_a_host_without_sudo_is_reported(connect: Connect, lab: SshLab) -> None:
    rc = lab.host("db2").home / ".bashrc"
    rc.write_text("PATH=/nowhere\n")
    try:
        with pytest.raises(BecomeFailed, match="sudo: command not found"):
            ask(connect("db2"), "id -un", become=Become("root"))
    finally:
        rc.unlink()


def test_a_become_user_that_is_an_option_is_refused(connect: Connect) -> None:
    with pytest.raises(UsageError, match="-s"):
        ask(connect(), "true", become=Become("-s"))


def test_the_password_is_nowhere_to_be_seen(
    connect: Connect, users_lab: SshLab, users: Users, caplog: pytest.LogCaptureFixture
) -> None:
    password = users["asked"].password
    become = Become("root", password)
    connection = connect("asked", within=users_lab)
    lines: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            lines.update(_command_lines())
            time.sleep(0.005)  # no event announces a process that begins: it has to be polled for

    watcher = threading.Thread(target=watch)
    with caplog.at_level(logging.DEBUG):
        watcher.start()
        try:
            reply = ask(
                connection, "tr '\\0' ' ' < /proc/$PPID/cmdline; tr '\\0' ' ' < /proc/self/environ", become=become
            )
        finally:
            over.set()
            watcher.join()

    assert any(b"sudo -H -u root -S" in line for line in lines), "the watcher saw no sudo, so this shows nothing"
    assert not any(password.encode() in line for line in lines)
    assert password not in said(reply) + reply.stderr.decode() + caplog.text + repr(become) + repr(connection)


def _command_lines() -> set[bytes]:
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                found.add((process / "cmdline").read_bytes().replace(b"\0", b" "))
            except OSError:
                continue
    return found
