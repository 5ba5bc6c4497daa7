"""Free ports on loopback, and waiting for a server by reading what it says first."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

READY_WITHIN = 30.0


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def answers_as_ssh(port: int, *, alive: Callable[[], bool]) -> bool:
    """Wait until the SSH banner was read from `port`; False when `alive` says no first, or it takes too long."""
    deadline = time.monotonic() + READY_WITHIN
    while alive() and time.monotonic() < deadline:
        if banner(port).startswith(b"SSH-"):
            return alive()
        time.sleep(0.01)
    return False


def banner(port: int, timeout: float = READY_WITHIN) -> bytes:
    """The first words of the server behind `port`; nothing when there is none, or it says none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as link:
            return link.recv(64)
    except OSError:
        return b""
