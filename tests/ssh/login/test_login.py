"""Logging in: keys from files and from the agent, passwords, and what is said when nothing helps."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Connection
from remotejobs.errors import AuthenticationFailed
from tests.ssh.asking import BY_PARAMIKO, ask, said

Connect = Callable[..., Connection]


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A key that nobody knows."""
    return _new_key(tmp_path / "stranger", "")


@pytest.fixture
def encrypted(lab: SshLab, tmp_path: Path) -> Path:
    """The lab's own key, with a passphrase."""
    path = tmp_path / "encrypted"
    path.write_bytes(lab.private_key.read_bytes())
    path.chmod(0o600)
    _run("ssh-keygen", "-q", "-p", "-P", "", "-N", "a passphrase", "-f", str(path))
    path.with_name("encrypted.pub").write_bytes(lab.private_key.with_suffix(".pub").read_bytes())
    return path


@pytest.fixture
def agent(lab: SshLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An agent that holds the lab's key."""
    path = str(tmp_path / "agent")
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE) as process:
        assert process.stdout
        # It says where it listens as soon as it does.
        process.stdout.readline()
        _run("ssh-add", "-q", str(lab.private_key))
        yield
        process.terminate()


def test_a_refused_key_is_reported_with_the_user(connect: Connect, stranger: Path, lab: SshLab, transport: str) -> None:
    connection = connect(ansible_ssh_private_key_file=str(stranger), ansible_user="root")

    with pytest.raises(AuthenticationFailed) as refused:
        ask(connection, "true")
    reported = {
        "paramiko": f"127.0.0.1 port {lab.host('db1').port} refused user root; tried: {stranger}. Check",
        "openssh": "ssh says: root@127.0.0.1: Permission denied (publickey). Check",
    }
    assert reported[transport] in str(refused.value)


def test_without_any_key_it_says_so(connect: Connect) -> None:
    with pytest.raises(AuthenticationFailed, match="there is no key and no password|Permission denied"):
        ask(connect(ansible_ssh_private_key_file=None), "true")


def test_a_missing_key_file_is_named(connect: Connect) -> None:
    with pytest.raises(AuthenticationFailed, match=r"/no/such/key(: No such file| \(no such file\))"):
        ask(connect(ansible_ssh_private_key_file="/no/such/key"), "true")


def test_a_file_that_is_no_key_is_named(connect: Connect) -> None:
    with pytest.raises(
        AuthenticationFailed, match=r"/etc/hostname(\" is not a key| \(not a private key of a known kind\)|\": )"
    ):
        ask(connect(ansible_ssh_private_key_file="/etc/hostname"), "true")


def test_an_encrypted_key_without_an_agent_is_named(connect: Connect, encrypted: Path) -> None:
    with pytest.raises(
        AuthenticationFailed, match=r"encrypted \(encrypted, and not held by the agent\)|Permission denied"
    ):
        ask(connect(ansible_ssh_private_key_file=str(encrypted)), "true")


@pytest.mark.usefixtures("agent")
def test_an_encrypted_key_is_used_through_the_agent(connect: Connect, encrypted: Path) -> None:
    connection = connect(ansible_ssh_private_key_file=str(encrypted), ansible_ssh_extra_args="-o IdentitiesOnly=yes")

    assert said(ask(connection, "echo in")) == "in\n"


def test_an_agent_that_is_none_is_reported(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "agent")
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def hang_up_once() -> None:
            listener.accept()[0].close()

        hang_up = threading.Thread(target=hang_up_once)
        hang_up.start()

        with pytest.raises(AuthenticationFailed, match=rf"the agent at {path} \(it hung up\)|Permission denied"):
            ask(connect(ansible_ssh_private_key_file=None), "true")
        hang_up.join()


@pytest.mark.usefixtures("agent")
def test_the_agents_keys_are_tried(connect: Connect) -> None:
    assert said(ask(connect(ansible_ssh_private_key_file=None), "echo in")) == "in\n"


@pytest.mark.usefixtures("agent")
def test_identities_only_leaves_the_agents_other_keys_alone(connect: Connect, stranger: Path) -> None:
    only = "-o IdentitiesOnly=yes"
    connection = connect(ansible_ssh_private_key_file=str(stranger), ansible_ssh_extra_args=only)

    with pytest.raises(AuthenticationFailed, match=rf"tried: {stranger}\. |Permission denied"):
        ask(connection, "true")


def test_too_many_keys_are_distinguished_from_a_dropped_connection(connect: Connect, tmp_path: Path) -> None:
    keys = [_new_key(tmp_path / f"key{n}", "") for n in range(8)]
    options = " ".join(f"-i {key}" for key in keys)

    with pytest.raises(AuthenticationFailed, match="IdentitiesOnly=yes"):
        ask(connect(ansible_ssh_private_key_file=None, ansible_ssh_extra_args=options), "true")


@BY_PARAMIKO
def test_the_usual_key_in_the_home_is_found(connect: Connect, lab: SshLab) -> None:
    """Over paramiko alone: for ssh it is the home of the user database, which a test leaves alone."""
    home = Path(os.environ["HOME"]) / ".ssh"
    home.mkdir()
    (home / "id_ed25519").write_bytes(lab.private_key.read_bytes())

    assert said(ask(connect(ansible_ssh_private_key_file=None), "echo in")) == "in\n"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    """A host that knows keys of other kinds, which lie beside the usual one."""
    directory = tmp_path_factory.mktemp("other")
    with SshLab(directory, ["other"]) as other:
        public = other.private_key.with_suffix(".pub")
        keys = [_new_key(directory / kind, "", kind) for kind in ("rsa", "ecdsa")]
        public.write_text(public.read_text() + "".join(key.with_suffix(".pub").read_text() for key in keys))
        yield other


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_keys_are_accepted(connect: Connect, other: SshLab, kind: str) -> None:
    key = other.private_key.with_name(kind)

    assert said(ask(connect("other", within=other, ansible_ssh_private_key_file=str(key)), "echo in")) == "in\n"


def test_a_password_is_enough(connect: Connect, users_lab: SshLab, users: dict[str, LabUser]) -> None:
    connection = connect(
        "asked", within=users_lab, ansible_ssh_private_key_file=None, ansible_password=users["asked"].password
    )

    assert said(ask(connection, "id -un")) == users["asked"].name + "\n"


def test_a_wrong_password_is_not_shown(connect: Connect, users_lab: SshLab) -> None:
    connection = connect("asked", within=users_lab, ansible_ssh_private_key_file=None, ansible_password="wr0ng")

    with pytest.raises(AuthenticationFailed, match="tried: the password|Permission denied") as refused:
        ask(connection, "true")
    assert "wr0ng" not in str(refused.value)


def _new_key(path: Path, passphrase: str, kind: str = "ed25519") -> Path:
    _run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path))
    return path


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
