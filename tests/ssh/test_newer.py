"""What only a newer OpenSSH has. Slow, for it is fetched where the system's is older."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.servers.newer_sshd import newer_ssh, newer_sshd
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from tests.ssh.asking import BY_PARAMIKO, ask, said

Connect = Callable[..., Connection]
pytestmark = pytest.mark.slowest


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(newer_ssh(tmp_path_factory.mktemp("newer")))


@pytest.mark.parametrize(
    ("criterion", "counts"),
    [
        ("tagged staging", False),
        ("!tagged staging", True),
        ("localnetwork 127.0.0.0/8", True),
        ("!localnetwork 127.0.0.0/8", False),
        ("localnetwork 203.0.113.0/24", False),
        ("version OpenSSH_*", True),
        ("version OpenSSH_7.*", False),
        ("sessiontype exec", True),
        ("sessiontype none", False),
        ("!sessiontype shell", True),
        ('command "exec sh*"', True),
        ("command uptime", False),
    ],
)
def test_a_block_counts_where_it_counts_for_ssh(
    connect: Connect,
    lab: SshLab,
    tmp_path: Path,
    ssh: Path,
    monkeypatch: pytest.MonkeyPatch,
    criterion: str,
    counts: bool,
) -> None:
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")
    homes = {lab.host(name).port: f"{lab.host(name).home}\n" for name in ("db1", "db2")}
    first, second = homes
    config = tmp_path / "config"
    config.write_text(f"Match {criterion}\n  Port {first}\nHost *\n  Port {second}\n")
    words = ["ssh", "-G", "-F", str(config), "127.0.0.1", "exec sh -s"]
    reported = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    connection = connect(ansible_port=None, ansible_ssh_extra_args=f"-F {config}")

    assert f"port {first if counts else second}" in reported
    assert said(ask(connection, "echo $HOME")) == homes[first if counts else second]


@BY_PARAMIKO
def test_the_exchange_of_keys_that_withstands_quantum_computers_is_preferred(connect: Connect, tmp_path: Path) -> None:
    """The system's ssh has its own preferences."""
    newer = newer_sshd(tmp_path)
    with SshLab(tmp_path / "lab", ["new"], program=newer.program, extra_config=["LogLevel DEBUG", *newer.lines]) as lab:
        assert said(ask(connect("new", within=lab), "echo in")) == "in\n"
        log = lab.host("new").log.read_text()

    assert re.findall(r"kex: algorithm: (\S+)", log)[-1] == "mlkem768x25519-sha256"
