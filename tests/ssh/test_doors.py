"""Many hosts behind one door: one login there, and no more logins at a time than its sshd takes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.ports import banner
from lab.proxy import Proxy
from lab.servers.newer_sshd import newer_sshd
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection
from remotejobs.errors import AuthenticationFailed, TurnedAway
from tests.awaiting import await_true
from tests.ssh.asking import BY_PARAMIKO, ask, said
from tests.ssh.making import Making

Connect = Callable[..., Connection]


def accepted(gate: SshLab) -> int:
    return len(re.findall("Accepted publickey", gate.host("gate").log.read_text()))


@BY_PARAMIKO
@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slowest)])
def test_hosts_behind_one_door_share_one_login_there_and_come_back_together(
    connect: Connect, tmp_path: Path, count: int
) -> None:
    """Over paramiko alone: each ssh of the system makes its own way through a jump host."""
    names = [f"h{number:03d}" for number in range(count)]
    with (
        SshLab(tmp_path / "gate", ["gate"], max_startups="10:30:100") as gate,
        SshLab(tmp_path / "hosts", names) as hosts,
        ThreadPoolExecutor(count) as threads,
    ):
        (gate_host,) = gate.hosts
        config = Path(os.environ["HOME"]) / ".ssh" / "config"
        config.parent.mkdir()
        config.write_text(
            f"Host gate\n  HostName 127.0.0.1\n  Port {gate_host.port}\n  IdentityFile {gate.private_key}\n"
            f"  UserKnownHostsFile {gate.known_hosts}\n"
        )
        options = f"{hosts.variables(names[0])['ansible_ssh_common_args']} -J gate"
        connections = [
            connect(name, within=hosts, ansible_ssh_common_args=options, ansible_timeout=120) for name in names
        ]
        questions = [f"echo {number}" for number in range(count)]
        answers = [f"{number}\n" for number in range(count)]

        assert [said(reply) for reply in threads.map(ask, connections, questions)] == answers
        assert (accepted(gate), gate.connections("gate")) == (1, 1)
        gate.drop_connections("gate")
        assert [said(reply) for reply in threads.map(ask, connections, questions)] == answers
        assert accepted(gate) == 2


@BY_PARAMIKO
def test_a_door_that_turns_us_away_for_a_while_is_waited_for_by_all(connect: Connect, lab: SshLab) -> None:
    """The words are those of sshd from 9.8 on, said by a front. Over paramiko alone: each ssh tries again by itself."""
    with Proxy(lab.host("db1").port) as proxy, ThreadPoolExecutor(10) as threads:
        key = lab.known_hosts.read_text().splitlines()[0].split(" ", 1)[1]
        known = lab.known_hosts.with_name(f"known_behind_{proxy.port}")
        known.write_text(f"[127.0.0.1]:{proxy.port} {key}\n")
        options = f"-o UserKnownHostsFile={known}"
        proxy.refuse(12, b"Not allowed at this time\r\n")
        connections = [connect(ansible_port=proxy.port, ansible_ssh_common_args=options) for _ in range(10)]

        assert [said(reply) for reply in threads.map(lambda one: ask(one, "echo in"), connections)] == ["in\n"] * 10
        assert proxy.refused == 12
        proxy.refuse(1000, b"Not allowed at this time\r\n")
        refused = connect(ansible_port=proxy.port, ansible_ssh_common_args=options, retry_for=0)
        with pytest.raises(TurnedAway, match="Not allowed at this time.*: too many logins at a time, or a penalty"):
            ask(refused, "true")


@pytest.mark.slowest
def test_a_penalty_of_a_newer_sshd_is_reported_and_waited_out_by_all(connect: Connect, tmp_path: Path) -> None:
    """Slow, for the penalty is real time."""
    newer = newer_sshd(tmp_path)
    stranger = Making(tmp_path).key("stranger")
    penalties = "PerSourcePenalties authfail:6 min:5 max:6"
    with (
        SshLab(tmp_path / "lab", ["new"], program=newer.program, extra_config=[penalties, *newer.lines]) as lab,
        ThreadPoolExecutor(10) as threads,
    ):
        with pytest.raises(AuthenticationFailed):
            ask(connect("new", within=lab, ansible_ssh_private_key_file=str(stranger)), "true")
        await_true(lambda: "Not allowed" in banner(lab.host("new").port).decode())
        with pytest.raises(TurnedAway, match="Not allowed at this time.*punishes this address"):
            ask(connect("new", within=lab, retry_for=0), "true")
        connections = [connect("new", within=lab) for _ in range(10)]

        assert [said(reply) for reply in threads.map(lambda one: ask(one, "echo in"), connections)] == ["in\n"] * 10
