"""Short ways for the tests to name a host and to ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from remotejobs.connections.base import Become, Connection, Question, Reply

END = b"the-end\n"
BY_PARAMIKO = pytest.mark.transport("paramiko")


@dataclass(frozen=True)
class SomeHost:
    """A host of no inventory."""

    name: str = "db1"
    variables: Mapping[str, Any] = field(default_factory=dict)


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
