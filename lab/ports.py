"""Ports of loopback that no other process gets, what listens on one, and waiting for the first words of a server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

READY_WITHIN = 30.0
_LISTENS = "0A"  # as /proc/net/tcp writes the state
_LOOPBACK, _ANY = "0100007F", "00000000"


class Port:
    """The `number` of a port of 127.0.0.1 that is ours until `close`, or as long as this object lives.

    A client that connects meanwhile is refused. It is bound and does not listen: so the kernel gives it to no other
    process, neither as a free one nor for a way out, and a server that sets SO_REUSEADDR before it binds, as all of the
    lab do, can listen there, end, and come back.
    """

    def __init__(self, number: int = 0) -> None:
        """A free one, or that one. Raises `OSError` when another process has it."""
        self._claim = socket.socket(socket.AF_UNIX)
        self._holder = socket.socket()
        if number:
            # It may have served a moment ago, so it is bound as a server would: that does not keep other labs out.
            self._claim.bind(_claimed(number))
            self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(("127.0.0.1", number))
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.number: int = self._holder.getsockname()[1]
        if not number:
            self._claim.bind(_claimed(self.number))

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Give it back. Done again it changes nothing."""
        self._holder.close()
        self._claim.close()


def _claimed(number: int) -> str:
    """The name by which labs on this machine claim a port; the kernel forgets it with the process that has it."""
    return f"\0remotejobs-lab-port-{number}"


_KEPT: list[Port] = []


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 that are this process's until it ends."""
    taken = [Port() for _ in range(count)]
    _KEPT.extend(taken)
    return [port.number for port in taken]


def port_or_free(number: int) -> Port:
    """The port with that number, or a free one where another process has it."""
    try:
        return Port(number)
    except OSError:
        return Port()


def listening_sockets(port: int) -> set[str]:
    """What listens on `port` of 127.0.0.1, as the links in /proc/PID/fd say it."""
    places = {f"{address}:{port:04X}" for address in (_LOOPBACK, _ANY)}
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {f"socket:[{row[9]}]" for row in rows if row[1] in places and row[3] == _LISTENS}


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
