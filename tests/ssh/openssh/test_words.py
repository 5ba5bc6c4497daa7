"""Over the system's ssh: a server's words are shown, and decide nothing that is ssh's to say."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.proxy import Proxy
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.connections.ssh.openssh_query import SshQuery
from remotejobs.connections.ssh.openssh_run import SshOutput, run_to_its_end
from remotejobs.connections.ssh.openssh_says import Login, failure
from remotejobs.errors import (
    AuthenticationFailed,
    ConnectionLost,
    HostError,
    HostKeyChanged,
    HostKeyUnknown,
    NoCommonAlgorithm,
    TurnedAway,
    Unreachable,
    UsageError,
)
from tests.ssh.asking import ask, said
from tests.ssh.making import agent_with
from tests.ssh.wicked import wicked

Connect = Callable[..., Connection]
pytestmark = pytest.mark.transport("openssh")

# Each is a message of ssh, or a part of one, that would mean something else than what happened.
FORGED = """
ED25519 host key for db1 was revoked and you have requested strict checking.
this key is revoked
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
No ED25519 host key is known for db1 and you have requested strict checking.
KnownHostsCommand failed
ssh: Could not resolve hostname db1: Name or service not known
ssh: connect to host db1 port 22: Connection refused
ssh: connect to host db1 port 22: Connection timed out
Unable to negotiate with 10.0.0.1 port 22: no matching cipher found. Their offer: none
kex_exchange_identification: banner line 0: Not allowed at this time
debug1: kex.c:kex_exchange_identification():1430 (pid=1): banner line 0: Exceeded MaxStartups
command-line: line 0: Bad configuration option: nonsense
/root/.ssh/config: terminating, 1 bad configuration options
pkcs11_get_key failed, pin required
Too many authentication failures
channel 0: open failed: connect failed: No route to host
Connection closed by UNKNOWN port 65535
Host key verification failed.
"""


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    """Its hosts show a banner of messages that ssh has."""
    directory = tmp_path_factory.mktemp("talkative")
    (directory / "banner").write_text(FORGED)
    lines = [f"Banner {directory / 'banner'}"]
    with SshLab(directory / "lab", ["db1"], extra_config=lines) as lab:
        yield lab


def test_a_banner_is_shown_and_decides_nothing(connect: Connect, talkative: SshLab) -> None:
    connection = connect("db1", within=talkative, ansible_ssh_private_key_file=None)

    with pytest.raises(AuthenticationFailed) as refused:
        ask(connection, "true")
    assert refused.value.message.startswith("db1: ssh says: root@127.0.0.1: Permission denied (publickey")
    assert refused.value.message.endswith("Host key verification failed")
    assert "PKCS#11" not in str(refused.value)
    assert "IdentitiesOnly" not in str(refused.value)


@pytest.mark.parametrize("way", ["ProxyJump gate", "ProxyCommand ssh -F {config} -W [%h]:%p gate"])
def test_the_banner_of_a_jump_host_decides_nothing_about_the_host_behind_it(
    connect: Connect, lab: SshLab, talkative: SshLab, tmp_path: Path, way: str
) -> None:
    """The ssh to the jump host says nothing at the end of what it carries, so its banner is the last that is said."""
    gate = talkative.host("db1")
    config = tmp_path / "config"
    with Proxy(lab.host("db2").port) as closing:
        config.write_text(
            f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  IdentityFile {talkative.private_key}\n"
            f"  UserKnownHostsFile {talkative.known_hosts}\nHost 127.0.0.1\n  {way.format(config=config)}\n"
        )
        closing.refuse(1000)
        connection = connect("db2", retry_for=0, ansible_port=closing.port, ansible_ssh_extra_args=f"-F {config}")

        with pytest.raises(ConnectionLost, match="Connection closed by UNKNOWN|Connection reset by UNKNOWN") as lost:
            ask(connection, "true")
        assert type(lost.value) is ConnectionLost


@pytest.mark.parametrize("name", ["config", "a config"])
def test_the_usual_words_about_a_jump_host_keep_their_meaning_below_its_banner(
    connect: Connect, talkative: SshLab, tmp_path: Path, name: str
) -> None:
    """Where its banner can be distinguished from its ssh's words; a blank in the name does not help ssh itself."""
    gate = talkative.host("db1")
    config = tmp_path / name
    config.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  IdentityFile none\n"
        f"  UserKnownHostsFile {talkative.known_hosts}\nHost 127.0.0.1\n  ProxyJump gate\n"
    )
    connection = connect("db1", within=talkative, retry_for=0, ansible_ssh_extra_args=f"-F '{config}'")
    kind, words = {
        "config": (AuthenticationFailed, "db1: ssh says: root@127.0.0.1: Permission denied"),
        "a config": (ConnectionLost, "db1: ssh says: .*UNKNOWN port"),
    }[name]

    with pytest.raises(kind, match=words):
        ask(connection, "true")


def test_what_sshd_says_when_it_turns_away_is_understood(connect: Connect, lab: SshLab) -> None:
    with Proxy(lab.host("db1").port) as proxy:
        key = lab.known_hosts.read_text().splitlines()[0].split(" ", 1)[1]
        known = lab.known_hosts.with_name(f"known_behind_{proxy.port}")
        known.write_text(f"[127.0.0.1]:{proxy.port} {key}\n")
        changes = {"ansible_port": proxy.port, "ansible_ssh_common_args": f"-o UserKnownHostsFile={known}"}
        proxy.refuse(1, b"Not allowed at this time\r\n")
        with pytest.raises(TurnedAway, match="Not allowed at this time"):
            ask(connect(retry_for=0, **changes), "true")
        proxy.refuse(2, b"Exceeded MaxStartups\r\n")

        assert said(ask(connect(**changes), "echo in")) == "in\n"


@pytest.mark.parametrize(
    ("line", "option", "keyword", "remedy"),
    [
        ("KexAlgorithms diffie-hellman-group14-sha1", "", "curve25519-sha256, ", "The server is behind"),
        ("Ciphers aes256-ctr", "Ciphers=aes128-ctr", "aes128-ctr. ", "Check Ciphers in sshd_config there"),
        ("MACs hmac-sha2-256", "MACs=hmac-sha2-512 -o Ciphers=aes128-ctr", "hmac-sha2-512. ", "Check MACs"),
        (
            "LogLevel INFO",
            "HostKeyAlgorithms=ecdsa-sha2-nistp256",
            "ecdsa-sha2-nistp256. ",
            "Check HostKeyAlgorithms",
        ),
    ],
)
def test_two_sides_without_an_algorithm_in_common_are_reported_with_both_lists(
    connect: Connect, tmp_path: Path, line: str, option: str, keyword: str, remedy: str
) -> None:
    with SshLab(tmp_path, ["one"], extra_config=[line]) as one:
        options = f"{one.variables('one')['ansible_ssh_common_args']} {f'-o {option}' if option else ''}"
        connection = connect("one", within=one, retry_for=600, ansible_ssh_common_args=options)
        with pytest.raises(NoCommonAlgorithm) as reported:
            ask(connection, "true")

    assert "Their offer: " in reported.value.message
    assert keyword in str(reported.value).partition("here there are ")[2]
    assert remedy in reported.value.remedy


def test_an_agents_key_that_refuses_to_sign_is_named(
    connect: Connect, lab: SshLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody is there to confirm each use.
    with agent_with(tmp_path / "agent", lab.private_key, options=("-c",)) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        with pytest.raises(AuthenticationFailed, match=r"signing failed for ED25519 \"lab\" from agent: agent refused"):
            ask(connect(ansible_ssh_private_key_file=None), "true")


@pytest.mark.parametrize(
    ("hangs_up", "kind", "words"),
    [
        (True, ConnectionLost, r"ssh says: Received disconnect from 127\.0\.0\.1 port \d+:2: x"),
        (False, AuthenticationFailed, r"ssh says: .*Permission denied"),
    ],
)
@pytest.mark.parametrize("line", FORGED.split("\n")[1:-1])
def test_lines_in_what_ssh_quotes_are_not_its_own(
    connect: Connect, tmp_path: Path, line: str, hangs_up: bool, kind: type[HostError], words: str
) -> None:
    known = tmp_path / "known"
    with wicked(f"x\r\n{line}\r\n{line}", known, hangs_up=hangs_up) as port:
        connection = connect(
            retry_for=0,
            ansible_port=port,
            ansible_ssh_private_key_file=None,
            ansible_password="secret",
            ansible_ssh_common_args=f"-o UserKnownHostsFile={known}",
        )

        with pytest.raises(kind, match=words) as refused:
            ask(connection, "true")
        assert type(refused.value) is kind
        assert "PKCS#11" not in str(refused.value)


@pytest.mark.parametrize(
    ("log", "beside", "kind"),
    [
        ("", "command-line: line 0: Bad configuration option: nonsense\n", UsageError),
        ("", "Whoever sets a Bad configuration option sees this session terminating, at once.\n", Unreachable),
        ("/x/config: line 3: Bad configuration option: y\r\n/x/config: terminating, 1 bad c\r\n", "", UsageError),
        ("No RSA host key is known for x and you have requested strict checking.\r\n", "", HostKeyUnknown),
        ("Host key ED25519 SHA256:x revoked by file /x\r\nHost key verification failed.\r\n", "", HostKeyChanged),
        (
            "Unable to negotiate with 10.0.0.1 port 22: no matching cipher found. Their offer: x\r\n",
            "",
            NoCommonAlgorithm,
        ),
        ("Permission denied (publickey).\r\n", "", AuthenticationFailed),
        ("svc@corp@db1: Permission denied (publickey).\r\n", "Host key verification failed.", AuthenticationFailed),
    ],
)
def test_its_own_messages_mean_what_they_say(log: str, beside: str, kind: type[Exception]) -> None:
    login = Login("db1", "db1", SshOutput(log, beside), SshQuery("ssh", ["-F", "none", "db1"], os.environ))

    assert type(failure(login)) is kind


def test_a_server_that_is_newer_than_ssh_is_reported_as_such() -> None:
    log = "Unable to negotiate with 10.0.0.1 port 22: no matching key exchange method found. Their offer: quantum-x\r\n"
    reported = failure(Login("db1", "db1", SshOutput(log, ""), SshQuery("ssh", ["-F", "none", "db1"], os.environ)))

    assert "This side is behind: ssh knows none of theirs" in reported.remedy


def test_what_is_wrong_with_a_file_is_reported_with_the_command_that_shows_it(connect: Connect, tmp_path: Path) -> None:
    config = tmp_path / "a config"
    config.write_text("Nonsense yes\n")

    with pytest.raises(UsageError, match=rf"db1: .*terminating.*until `ssh -F '{config}' 127.0.0.1` works"):
        ask(connect(ansible_ssh_extra_args=f"-F '{config}'"), "true")


def test_what_is_wrong_with_the_options_of_a_host_is_said_with_where_they_are(connect: Connect) -> None:
    with pytest.raises(UsageError, match=r"db1: command-line.* invalid time value\. Correct .* ansible_ssh_extra_args"):
        ask(connect(ansible_ssh_extra_args="-o ConnectTimeout=soon"), "true")


def test_a_server_that_never_stops_talking_costs_no_disk_and_little_memory(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo first >{log}; head -c 4000000 /dev/zero | tr '\\0' x >&2; echo last >&2; echo last >{log}; exit 255"

    code, heard = run_to_its_end(["sh", "-c", script], {"PATH": "/bin:/usr/bin"}, log, 60, threading.Event())

    assert code == 255
    assert len(heard.beside) == 64 * 1024
    assert heard.beside.endswith("xlast\n")
    assert heard.log == "first\nlast\n"
    assert list(tmp_path.iterdir()) == []
