"""Short ways for the tests to name a host and to ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.servers.sshd import SshLab
from remotejobs.connections.base import Become, Connection, Question, Reply

END = b"the-end\n"
BY_PARAMIKO = pytest.mark.transport("paramiko")


@dataclass(frozen=True)
class SomeHost:
    """A host of no inventory."""

    name: str = "db1"
    variables: Mapping[str, Any] = field(default_factory=dict)


def known_at(lab: SshLab, port: int) -> dict[str, str]:
    """The variables by which the lab's host key is expected at another port: that of a proxy."""
    known = lab.known_hosts.with_name(f"known_at_{port}")
    key = lab.known_hosts.read_text().splitlines()[0].split(" ", 1)[1]
    known.write_text(f"[127.0.0.1]:{port} {key}\n")
    return {"ansible_ssh_common_args": f"-o UserKnownHostsFile={known}"}


def ask(
    connection: Connection,
    script: str,
    *,
    become: Become | None = None,
    timeout: float = 20.0,
    max_bytes: int = 8 * 1024 * 1024,
) -> Reply:
    """Run `script` and then print the end mark."""
    whole = f"{script}\nprintf 'the-%s\\n' end\n".encode()
    return connection.ask(Question(whole, end=END, timeout=timeout, max_bytes=max_bytes, become=become))


def said(reply: Reply) -> str:
    """What came before the end mark, as text."""
    assert reply.complete, reply
    return reply.stdout.removesuffix(END).decode()
