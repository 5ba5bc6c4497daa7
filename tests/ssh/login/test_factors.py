"""More than one way in: two factors in any order, agents that fail, and refusals in the server's own words."""

from __future__ import annotations

import os
import socketserver
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Become, Connection
from remotejobs.connections.ssh.login import agent
from remotejobs.errors import AuthenticationFailed, NoCommonAlgorithm
from tests.ssh.asking import BY_PARAMIKO, ask, said
from tests.ssh.making import Making, agent_with

Connect = Callable[..., Connection]


@pytest.fixture
def making(tmp_path: Path) -> Making:
    return Making(tmp_path)


@contextmanager
def demanding(user: LabUser, directory: Path, *lines: str) -> Iterator[SshLab]:
    extra = ["PasswordAuthentication yes", *lines]
    with SshLab(directory, ["two"], users={"two": user.name}, extra_config=extra) as lab:
        yield lab


@pytest.fixture(
    scope="module",
    params=[
        "password,publickey",
        "publickey,password",
        "publickey,keyboard-interactive:pam",
        "keyboard-interactive:pam,publickey",
        "publickey,publickey password,keyboard-interactive:pam",
    ],
)
def two_factors(
    request: pytest.FixtureRequest, users: dict[str, LabUser], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SshLab]:
    pam = ["UsePAM yes", "KbdInteractiveAuthentication yes"] if "pam" in request.param else []
    methods = f"AuthenticationMethods {request.param}"
    with demanding(users["asked"], tmp_path_factory.mktemp("factors"), methods, *pam) as lab:
        yield lab


def test_two_factors_that_need_no_human_are_given_in_any_order(
    connect: Connect, users: dict[str, LabUser], two_factors: SshLab
) -> None:
    user = users["asked"]
    # PAM may wait for its own reasons.
    connection = connect("two", within=two_factors, ansible_password=user.password, ansible_timeout=60)

    assert said(ask(connection, "id -un")) == f"{user.name}\n"


@pytest.mark.parametrize("two_factors", ["publickey,password"], indirect=True)
def test_the_second_factor_that_is_missing_is_named(connect: Connect, two_factors: SshLab) -> None:
    with pytest.raises(
        AuthenticationFailed, match=r"tried: .*id_ed25519; the server accepts password|denied \(password\)"
    ):
        ask(connect("two", within=two_factors), "true")


@pytest.fixture(scope="module")
def expired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    directory = tmp_path_factory.mktemp("expired")
    with LabUser.unique("expired", password="secret") as user, demanding(user, directory, "UsePAM yes") as lab:
        subprocess.run(["chage", "-E", "0", user.name], check=True)
        yield lab


def test_an_expired_account_is_reported_in_the_servers_words_and_not_tried_for_long(
    connect: Connect, expired: SshLab
) -> None:
    connection = connect("two", within=expired, retry_for=600, ansible_timeout=60)

    with pytest.raises(AuthenticationFailed, match="says: .*account has expired"):
        ask(connection, "true")


def test_an_agents_key_that_refuses_to_sign_is_named_and_the_next_one_tried(
    connect: Connect, lab: SshLab, making: Making, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = making.key("refused")
    # Nobody is there to confirm each use.
    with agent_with(making.directory / "agent", refused, options=("-c",)) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        # ssh says nothing of it at its usual level.
        words = {"paramiko": r"agent key refused \(it did not sign: it refuses\)", "openssh": "Permission denied"}
        with pytest.raises(AuthenticationFailed, match=words[transport]):
            ask(connect(ansible_ssh_private_key_file=None), "true")
        public = making.directory / "refused.pub"
        both = f"-i {public} -i {lab.private_key}"
        assert said(ask(connect(ansible_ssh_private_key_file=None, ansible_ssh_extra_args=both), "echo in")) == "in\n"


@BY_PARAMIKO
def test_an_agent_that_never_answers_costs_paramiko_no_login(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh itself waits for its agent as long as it takes."""
    monkeypatch.setattr(agent, "WITHIN", 0.2)
    path = tmp_path / "agent"
    with broken_agent(path, "silent"):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        assert said(ask(connect(), "echo in")) == "in\n"
        with pytest.raises(AuthenticationFailed, match=rf"tried: the agent at {path} \(it"):
            ask(connect(ansible_ssh_private_key_file=None), "true")


@pytest.mark.parametrize("fault", ["failing", "unknown kinds", "gone", "damaged"])
def test_an_agent_that_fails_costs_no_login(
    connect: Connect, tmp_path: Path, fault: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"paramiko": rf"tried: (the agent at {tmp_path}/agent \(it|agent key)", "openssh": "Permission denied"}
    path = tmp_path / "agent"
    with broken_agent(path, fault):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        assert said(ask(connect(), "echo in")) == "in\n"
        with pytest.raises(AuthenticationFailed, match=words[transport]):
            ask(connect(ansible_ssh_private_key_file=None), "true")


@contextmanager
def broken_agent(path: Path, fault: str) -> Iterator[None]:
    """An agent with that fault, for what no real one does at will."""
    kind, name = b"ssh-xmss@openssh.com", b"quantum"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 4) + b"1234"
    keys = struct.pack(">BI", 12, 1) + struct.pack(">I", len(blob)) + blob + struct.pack(">I", len(name)) + name
    answers = {"failing": b"\5", "unknown kinds": keys, "damaged": struct.pack(">BI", 12, 9)}
    over = threading.Event()

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if fault == "silent":
                over.wait()
            elif fault in answers:
                self.request.recv(4096)
                self.request.sendall(struct.pack(">I", len(answers[fault])) + answers[fault])

    if fault == "gone":
        yield
        return
    with socketserver.ThreadingUnixStreamServer(str(path), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            over.set()
            server.shutdown()


def test_identity_agent_names_another_agent(connect: Connect, lab: SshLab, making: Making) -> None:
    with agent_with(making.directory / "agent", lab.private_key) as path:
        options = f"{lab.variables('db1')['ansible_ssh_common_args']} -o IdentityAgent={path}"
        connection = connect(ansible_ssh_private_key_file=None, ansible_ssh_common_args=options)

        assert said(ask(connection, "echo in")) == "in\n"


@pytest.fixture(
    scope="module", params=["curve25519-sha256", "curve25519-sha256@libssh.org", "diffie-hellman-group16-sha512"]
)
def one_exchange(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    with SshLab(tmp_path_factory.mktemp("one"), ["one"], extra_config=[f"KexAlgorithms {request.param}"]) as one:
        yield one


def test_a_server_with_one_exchange_of_keys_is_reached(connect: Connect, one_exchange: SshLab) -> None:
    assert said(ask(connect("one", within=one_exchange), "echo in")) == "in\n"


@BY_PARAMIKO
@pytest.mark.parametrize(
    ("line", "named", "behind"),
    [
        (
            "KexAlgorithms sntrup761x25519-sha512@openssh.com",
            "sntrup761x25519-sha512@openssh.com",
            "This side is behind",
        ),
        ("Ciphers chacha20-poly1305@openssh.com", "chacha20-poly1305@openssh.com", "This side is behind"),
        ("KexAlgorithms diffie-hellman-group14-sha1", "diffie-hellman-group14-sha1", "The server is behind"),
    ],
)
def test_two_sides_without_an_algorithm_in_common_are_reported_with_both_lists(
    connect: Connect, tmp_path: Path, line: str, named: str, behind: str
) -> None:
    """Over paramiko alone: ssh has what paramiko lacks, and prints the server's list only."""
    with SshLab(tmp_path, ["one"], extra_config=[line]) as one, pytest.raises(NoCommonAlgorithm) as reported:
        ask(connect("one", within=one, retry_for=600), "true")

    keyword = line.partition(" ")[0]
    ours = {"KexAlgorithms": "curve25519-sha256", "Ciphers": "aes128-gcm@openssh.com"}[keyword]
    assert f"no {keyword} in common: OpenSSH_" in str(reported.value)
    assert f"offers {named}; here there are " in str(reported.value)
    assert ours in str(reported.value)
    assert behind in reported.value.remedy
    assert not reported.value.transient


@pytest.mark.parametrize("name", ["Rjlab.Oracle", "rjlab@corp.example", "CORP\\rjlab", "rjlab-dots.and_more"])
def test_users_are_become_by_the_names_that_directories_give_them(
    connect: Connect, users_lab: SshLab, name: str
) -> None:
    """`useradd` refuses such names; the user database and sudo do not."""
    with LabUser(f"{name}{os.getpid()}", odd=True) as user:
        connection = connect("trusted", within=users_lab)

        assert said(ask(connection, "id -un", become=Become(user.name))) == f"{user.name}\n"
