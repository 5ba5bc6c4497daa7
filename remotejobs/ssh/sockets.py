"""The stream under an SSH connection: TCP, or a ProxyCommand."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO

from remotejobs.errors import ConnectionLost, ConnectionRefused, NameUnknown, TimedOut, Unreachable
from remotejobs.ssh.endpoint import Endpoint

PROBE_AFTER = 15
PROBE_EVERY = 5
PROBES = 3


@dataclass(frozen=True, slots=True)
class Stream:
    """A connected socket."""

    socket: socket.socket

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def cause(self) -> str:
        """What is known here of why it ended; "" for nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class CommandStream(Stream):
    """A socket with a ProxyCommand at its other end, whose standard error is kept in `words`."""

    command: subprocess.Popen[bytes]
    words: IO[bytes]

    def close(self) -> None:
        super(CommandStream, self).close()
        self.command.terminate()
        self.command.wait()
        self.words.close()

    def cause(self) -> str:
        self.words.seek(0)
        said = self.words.read(8192).decode("utf-8", "replace").split("\n")
        last = ([line.strip() for line in said if line.strip()] or ["it said nothing"])[-1]
        return f"ProxyCommand: {last}"


def open_stream(endpoint: Endpoint, timeout: float) -> Stream:
    """Connect within `timeout` seconds; `Unreachable` or one of its children says what was tried."""
    return _run_proxy(endpoint) if endpoint.proxy_command else Stream(_connect(endpoint, timeout))


def _connect(endpoint: Endpoint, timeout: float) -> socket.socket:
    try:
        link = socket.create_connection((endpoint.address, endpoint.port), timeout)
    except (socket.gaierror, UnicodeError) as exc:
        # The latter is for a name that DNS could not even carry.
        message = f"the name {endpoint.address!r} has no address ({exc})"
        raise NameUnknown(endpoint.host, message) from exc
    except TimeoutError as exc:
        raise TimedOut(endpoint.host, f"{endpoint} did not answer within {timeout:g} s") from exc
    except ConnectionRefusedError as exc:
        raise ConnectionRefused(endpoint.host, f"nothing listens at {endpoint}") from exc
    except ConnectionResetError as exc:
        raise ConnectionLost(endpoint.host, f"{endpoint} reset the connection") from exc
    except OSError as exc:
        message = f"{endpoint} cannot be reached: {exc.strerror}"
        raise Unreachable(endpoint.host, message, remedy="Check the address and the network.") from exc
    _tune(link)
    return link


def _tune(link: socket.socket) -> None:
    """Send at once, and notice a peer that vanished."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", PROBE_AFTER), ("TCP_KEEPINTVL", PROBE_EVERY), ("TCP_KEEPCNT", PROBES)):
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _run_proxy(endpoint: Endpoint) -> Stream:
    """The command talks to one end of a socket pair, so that both ways are a real socket to everybody else."""
    ours, theirs = socket.socketpair()
    words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the stream
    with theirs:
        command = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {endpoint.proxy_command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=words,
            start_new_session=True,
        )
    return CommandStream(ours, command, words)
