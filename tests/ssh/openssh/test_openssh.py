"""The system's own ssh as the way to a host: what it can do, what it costs, and what its words mean."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.ports import free_ports
from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Connection
from remotejobs.errors import (
    AuthenticationFailed,
    ConnectionLost,
    ConnectionRefused,
    HostKeyChanged,
    HostKeyUnknown,
    NameUnknown,
    RemoteJobsError,
    UsageError,
)
from remotejobs.operations.transfer.files import files_of
from tests.awaiting import await_true
from tests.ssh.asking import SomeHost, ask, said

Connect = Callable[..., Connection]
pytestmark = pytest.mark.transport("openssh")
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize(
    "line",
    [
        "Ciphers chacha20-poly1305@openssh.com",
        "KexAlgorithms sntrup761x25519-sha512@openssh.com",
        "MACs umac-64@openssh.com",
    ],
)
def test_servers_with_what_paramiko_cannot_do_are_reached(connect: Connect, tmp_path: Path, line: str) -> None:
    with SshLab(tmp_path / "lab", ["new"], extra_config=[line]) as new:
        assert said(ask(connect("new", within=new), "echo in")) == "in\n"


def test_a_password_is_given_and_stands_nowhere(
    connect: Connect, users_lab: SshLab, users: dict[str, LabUser], tmp_path: Path
) -> None:
    user = users["asked"]
    variables = {"ansible_ssh_private_key_file": None, "ansible_password": user.password}

    assert said(ask(connect("asked", within=users_lab, **variables), "id -un")) == f"{user.name}\n"
    assert not any(
        user.password in path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()
    )


def test_a_long_name_of_the_temporary_directory_is_no_hindrance(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 25)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert said(ask(connect("db2"), "echo in")) == "in\n"


def test_closing_ends_the_master_and_leaves_nothing_behind(connect: Connect, lab: SshLab, tmp_path: Path) -> None:
    connection = connect("db2")
    ask(connection, "true")
    await_true(lambda: lab.connections("db2") == 1)  # those of tests before may take a moment yet to end
    connection.close()

    await_true(lambda: lab.connections("db2") == 0)
    assert list(tmp_path.glob("rj-ssh-*")) == []
    assert said(ask(connection, "echo again")) == "again\n"


def test_an_answer_that_dies_with_the_master_after_the_exit_status_came_is_asked_for_again(
    connect: Connect, tmp_path: Path
) -> None:
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    # Seen once under load: no word of an answer came, and the exit status was not that of a lost connection.
    ssh.write_text(f"""#!/bin/sh
case $* in *'exec sh -s') mkdir {tmp_path}/once 2>/dev/null && {{ ssh -S "$4" -O exit any 2>/dev/null; exit 0; }};; esac
exec ssh "$@"
""")
    ssh.chmod(0o755)

    assert said(ask(connect("db2", ansible_ssh_executable=str(ssh)), "echo in")) == "in\n"
    assert (tmp_path / "once").exists()


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"ansible_host": "no-such-host.invalid"}, NameUnknown, "Could not resolve hostname"),
        ({"ansible_port": "free"}, ConnectionRefused, "Connection refused"),
        ({"ansible_ssh_private_key_file": "stranger"}, AuthenticationFailed, "Permission denied"),
        ({"known": ""}, HostKeyUnknown, "Host key verification failed|host key is known for"),
        ({"known": OTHER}, HostKeyChanged, "key for .* has changed"),
        ({"options": "-o ProxyCommand=false"}, ConnectionLost, "Connection closed|Broken pipe"),
        ({"options": "-F /no/such/file"}, RemoteJobsError, "/no/such/file"),
    ],
)
def test_its_words_are_classified_by_their_meaning(
    connect: Connect, lab: SshLab, tmp_path: Path, changes: dict[str, str], kind: type[Exception], words: str
) -> None:
    port, changed = lab.host("db1").port, dict(changes)
    common = lab.variables("db1")["ansible_ssh_common_args"]
    if "known" in changed:
        known = tmp_path / "known"
        key = changed.pop("known")
        known.write_text(f"[127.0.0.1]:{port} {key}\n" if key else "")
        changed["ansible_ssh_common_args"] = f"-o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none"
    if "options" in changed:
        changed["ansible_ssh_common_args"] = f"{common} {changed.pop('options')}"
    if "ansible_port" in changed:
        changed["ansible_port"] = str(free_ports(1)[0])
    if "ansible_ssh_private_key_file" in changed:
        changed["ansible_ssh_private_key_file"] = str(tmp_path / "stranger")

    with pytest.raises(kind, match=words):
        ask(connect(retry_for=0, **changed), "true")
    assert list(tmp_path.glob("rj-ssh-*")) == []


def test_files_go_over_it_too(lab: SshLab, tmp_path: Path, transport: str) -> None:
    files = files_of(SomeHost("db1", {**lab.variables("db1"), "remotejobs_transport": transport}))
    content, path = b"0123456789" * 100_000, str(tmp_path / "there")
    sent, got = [content], bytearray()
    try:
        files.append(path, lambda _: sent.pop() if sent else b"", 0, lambda _: None)
        assert files.size(path) == len(content)
        files.fetch(path, got.extend, 0, len(content), lambda _: None)
    finally:
        files.close()

    assert got == content
    assert list(tmp_path.glob("rj-ssh-*")) == []


def test_an_unknown_transport_is_refused(connect: Connect) -> None:
    with pytest.raises(UsageError, match="db1: remotejobs_transport is 'telnet'"):
        connect(remotejobs_transport="telnet")
