"""The stream under an SSH connection: TCP, or a ProxyCommand."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO

from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.errors import ConnectionLost, ConnectionRefused, NameUnknown, TimedOut, Unreachable

PROBE_AFTER = 15
PROBE_EVERY = 5
PROBES = 3
LAST_BREATH = 1.0  # seconds for a ProxyCommand to end after TERM


@dataclass(frozen=True, slots=True)
class SocketStream:
    """A connected socket."""

    socket: socket.socket

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def cause(self) -> str:
        """What is known here of why it ended; "" for nothing."""
        return ""

    def peer(self) -> str:
        """The address of the host at the other end; "" where a proxy stands between."""
        try:
            name = self.socket.getpeername()
        except OSError:
            return ""
        return str(name[0]) if isinstance(name, tuple) else ""


@dataclass(frozen=True, slots=True)
class CommandStream(SocketStream):
    """A socket with a ProxyCommand at its other end, whose standard error is kept in `words`."""

    command: subprocess.Popen[bytes]
    words: IO[bytes]

    def close(self) -> None:
        super(CommandStream, self).close()
        for sign in (signal.SIGTERM, signal.SIGKILL):
            # Also what it has started; its leader is not waited for yet, so that its number is still its own.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.command.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.command.wait(LAST_BREATH)
                break
        self.words.close()

    def cause(self) -> str:
        self.words.seek(0)
        said = self.words.read(8192).decode("utf-8", "replace").split("\n")
        last = ([line.strip() for line in said if line.strip()] or ["it said nothing"])[-1]
        return f"ProxyCommand: {last}"


def open_stream(endpoint: Endpoint, timeout: float) -> SocketStream:
    """Connect within `timeout` seconds; `Unreachable` or one of its children says what was tried."""
    return _run_proxy(endpoint) if endpoint.proxy_command else SocketStream(_connect(endpoint, timeout))


def _connect(endpoint: Endpoint, timeout: float) -> socket.socket:
    try:
        link = _create_connection(endpoint, timeout)
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


def _create_connection(endpoint: Endpoint, timeout: float) -> socket.socket:
    """By AddressFamily, BindAddress and BindInterface where they are set."""
    where = (endpoint.address, endpoint.port)
    source = (endpoint.bind_address, 0) if endpoint.bind_address else None
    if endpoint.address_family == "any" and not endpoint.bind_interface:
        return socket.create_connection(where, timeout, source)
    family = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(endpoint.address_family, socket.AF_UNSPEC)
    failure: OSError = OSError(None, f"there is no address of the family {endpoint.address_family}")
    for kind, *_, address in socket.getaddrinfo(*where, family, socket.SOCK_STREAM):
        link = socket.socket(kind, socket.SOCK_STREAM)
        try:
            link.settimeout(timeout)
            if endpoint.bind_interface:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, endpoint.bind_interface.encode() + b"\0")
            if source is not None:
                link.bind(source)
            link.connect(address)
        except OSError as exc:
            failure = exc
            link.close()
        else:
            return link
    raise failure


def _tune(link: socket.socket) -> None:
    """Send at once, and notice a peer that vanished."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", PROBE_AFTER), ("TCP_KEEPINTVL", PROBE_EVERY), ("TCP_KEEPCNT", PROBES)):
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _run_proxy(endpoint: Endpoint) -> SocketStream:
    """The command talks to one end of a socket pair, so that both ways are a real socket for all other code."""
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
