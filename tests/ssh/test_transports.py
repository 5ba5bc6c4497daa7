"""The way to sshd: by name and port, through jump hosts and commands, as ssh_config says; and where it ends."""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.ports import free_ports
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.errors import (
    ConnectionLost,
    ConnectionRefused,
    HostKeyUnknown,
    NameUnknown,
    RemoteJobsError,
    TimedOut,
    Unreachable,
)
from remotejobs.inventory.values import Secret
from tests.ssh.asking import BY_PARAMIKO, ask, said

Connect = Callable[..., Connection]

# Nothing of the inventory but the name: all the rest comes from ssh_config.
NOTHING: dict[str, None] = dict.fromkeys(
    ["ansible_host", "ansible_port", "ansible_user", "ansible_ssh_private_key_file", "ansible_ssh_common_args"]
)
# For ssh, the usual file is that of the user database, which a test leaves alone.
CONFIGURED = {**NOTHING, "ansible_ssh_extra_args": "-F ~/.ssh/config"}


def logins(lab: SshLab, name: str) -> int:
    """How many there have been."""
    return lab.host(name).log.read_text().count("Accepted publickey")


def write_config(lab: SshLab, text: str = "") -> Path:
    """An ssh_config in the home directory that knows the lab's hosts by name."""
    hosts = "".join(f"Host {host.name}\n  Port {host.port}\n" for host in lab.hosts)
    common = (
        f"Host db1 db2\n  HostName 127.0.0.1\n  User {lab.hosts[0].user}\n  IdentityFile {lab.private_key}\n"
        f"  UserKnownHostsFile /nowhere/known {lab.known_hosts}\n  IdentitiesOnly yes\n"
    )
    path = Path(os.environ["HOME"]) / ".ssh" / "config"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + hosts + common)
    return path


def test_nothing_listening_is_refused_at_once(connect: Connect) -> None:
    (port,) = free_ports(1)

    with pytest.raises(
        ConnectionRefused, match=rf"db1: .* 127\.0\.0\.1 port {port}(: Connection refused)?\. .*ansible_port"
    ):
        ask(connect(ansible_port=port, retry_for=600), "true")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ansible_host": Secret("127.0.0.7")}, "127.0.0.7"),
        ({"ansible_user": Secret("nobody-knows")}, "nobody-knows"),
        ({"ansible_ssh_extra_args": Secret("-J me@no-such-door.invalid")}, "no-such-door"),
        ({"ansible_ssh_private_key_file": Secret("/no/such/key")}, "/no/such/key"),
    ],
)
def test_what_is_in_a_vault_about_the_way_is_in_no_error(
    connect: Connect, variables: dict[str, Secret], words: str
) -> None:
    port = {} if "ansible_user" in variables else {"ansible_port": free_ports(1)[0]}

    with pytest.raises(RemoteJobsError) as raised:
        ask(connect(retry_for=0, **port, **variables), "true")
    assert words not in "".join(traceback.format_exception(raised.value)) + repr(raised.value)


def test_an_unknown_name_is_named(connect: Connect) -> None:
    with pytest.raises(
        NameUnknown, match="db1: .* (name 'no-such-host.invalid' has no address|hostname no-such-host.invalid:)"
    ):
        ask(connect(ansible_host="no-such-host.invalid", retry_for=600), "true")


def test_a_name_too_long_for_dns_is_named(connect: Connect) -> None:
    with pytest.raises(NameUnknown, match="has no address|Could not resolve hostname a"):
        ask(connect(ansible_host="a" * 70, retry_for=600), "true")


def test_a_server_that_says_nothing_ends_at_the_connect_timeout(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(
            TimedOut, match=rf"127\.0\.0\.1 port {port} (took the connection and said nothing of SSH|timed out)"
        ):
            ask(connect(ansible_port=port, ansible_timeout=1), "true")


def test_a_server_that_speaks_something_else_is_reported(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        connection = connect(ansible_port=other.getsockname()[1], ansible_timeout=5, retry_for=0)
        accepted = _in_thread(lambda: other.accept()[0].sendall(b"220 mail\r\n" * 200))

        with pytest.raises(Unreachable, match="closed the connection before the login|kex_exchange_identification: "):
            ask(connection, "true")
        accepted()


@BY_PARAMIKO
def test_ssh_config_says_it_all(connect: Connect, lab: SshLab) -> None:
    """Over paramiko alone: see CONFIGURED."""
    write_config(lab)

    assert said(ask(connect("db2", **NOTHING), "echo $HOME")) == f"{lab.host('db2').home}\n"


def test_another_file_on_the_command_line(connect: Connect, lab: SshLab) -> None:
    path = write_config(lab)
    elsewhere = path.rename(path.with_name("elsewhere"))
    connection = connect("db2", **{**NOTHING, "ansible_ssh_extra_args": f"-F {elsewhere}"})

    assert said(ask(connection, "echo in")) == "in\n"


def test_an_included_file_counts(connect: Connect, lab: SshLab) -> None:
    path = write_config(lab)
    path.rename(path.with_name("included"))
    path.write_text("Include inc*\n")

    assert said(ask(connect("db2", **CONFIGURED), "echo in")) == "in\n"


def test_a_jump_through_another_host(connect: Connect, lab: SshLab) -> None:
    write_config(lab, "Host db2\n  ProxyJump db1\n")
    before = logins(lab, "db1")
    connection = connect("db2", **CONFIGURED)

    assert said(ask(connection, "echo $HOME")) == f"{lab.host('db2').home}\n"
    assert logins(lab, "db1") == before + 1


def test_two_jumps_on_the_command_line(connect: Connect, lab: SshLab) -> None:
    write_config(lab)
    connection = connect("db2", **{**CONFIGURED, "ansible_ssh_common_args": "-J db1,db2"})

    assert said(ask(connection, "echo in")) == "in\n"


def test_a_jump_hosts_key_is_checked_as_strictly(connect: Connect, lab: SshLab) -> None:
    write_config(lab, "Host jump\n  HostName 127.0.0.1\n  UserKnownHostsFile none\nHost db2\n  ProxyJump jump\n")
    path = Path(os.environ["HOME"]) / ".ssh" / "config"
    path.write_text(path.read_text().replace("Host jump\n", f"Host jump\n  Port {lab.host('db1').port}\n"))

    with pytest.raises(HostKeyUnknown, match="db2: "):
        ask(connect("db2", **CONFIGURED), "true")


def test_a_jump_host_that_cannot_reach_the_host_is_reported(connect: Connect, lab: SshLab) -> None:
    (port,) = free_ports(1)
    write_config(lab, f"Host db2\n  ProxyJump db1\n  Port {port}\n")

    with pytest.raises(
        Unreachable, match=rf"the jump host cannot reach 127\.0\.0\.1 port {port}|open failed: connect failed"
    ):
        ask(connect("db2", **CONFIGURED), "true")


def test_a_proxy_command_carries_the_connection(connect: Connect, lab: SshLab) -> None:
    relay = "import socket,sys,threading,os\\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])))"
    program = Path(os.environ["HOME"]) / "relay.py"
    program.write_text(
        relay.replace("\\n", "\n")
        + "\ndef back():\n    while d := s.recv(65536):\n        os.write(1, d)\n"
        + "threading.Thread(target=back, daemon=True).start()\n"
        + "while d := os.read(0, 65536):\n    s.sendall(d)\n"
    )
    write_config(lab, f"Host db2\n  ProxyCommand python3 {program} %h %p\n")
    connection = connect("db2", **CONFIGURED)

    assert said(ask(connection, "echo $HOME")) == f"{lab.host('db2').home}\n"
    assert len(said(ask(connection, "head -c 3000000 /dev/zero"))) == 3000000


def test_a_failing_proxy_command_is_quoted(connect: Connect, lab: SshLab) -> None:
    write_config(lab, "Host db2\n  ProxyCommand sh -c 'echo the tunnel is shut >&2; exit 1'\n")

    with pytest.raises(ConnectionLost, match="the tunnel is shut"):
        ask(connect("db2", retry_for=0.2, **CONFIGURED), "true")


def _in_thread(work: Callable[[], object]) -> Callable[[], None]:
    thread = threading.Thread(target=work)
    thread.start()
    return thread.join
