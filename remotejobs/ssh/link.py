"""One open way to a host: the transports through the jump hosts and the last one, which asks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import ExitStack

from paramiko import Channel
from paramiko.ssh_exception import IncompatiblePeer, SSHException

from remotejobs.errors import ConnectionLost, TimedOut, Unreachable
from remotejobs.ssh.endpoint import Endpoint
from remotejobs.ssh.host_key import check_host_key, known_keys
from remotejobs.ssh.known_hosts import HostKey
from remotejobs.ssh.login import log_in
from remotejobs.ssh.sockets import Stream, open_stream
from remotejobs.ssh.talk import close_quietly
from remotejobs.ssh.transport import QuickTransport


class Link:
    """Logged in on the endpoint, all the way. Made by `open_link`."""

    def __init__(self, transport: QuickTransport, resources: ExitStack) -> None:
        self.transport = transport
        self._resources = resources

    @property
    def is_open(self) -> bool:
        return self.transport.is_active()

    def close(self) -> None:
        """End it, the far end first."""
        self._resources.close()


def open_link(endpoint: Endpoint) -> Link:
    """Connect, check the host keys and log in, hop by hop.

    Raises `Unreachable` or one of its children; `ConnectionLost` is the one that may pass by itself.
    """
    with ExitStack() as resources:
        transport: QuickTransport | None = None
        for hop in (*endpoint.via, endpoint):
            # Every hop speaks in the name of the host that was asked for.
            stream = open_stream(hop, hop.connect_timeout) if transport is None else _forward(transport, hop)
            resources.callback(_close, stream)
            transport = _log_in_over(stream, hop)
            resources.callback(close_quietly, transport)
        assert transport is not None
        return Link(transport, resources.pop_all())


def _log_in_over(stream: Stream | Channel, hop: Endpoint) -> QuickTransport:
    transport = QuickTransport(stream.socket if isinstance(stream, Stream) else stream)
    try:
        _exchange_keys(transport, hop, stream.cause if isinstance(stream, Stream) else str)
        key = transport.get_remote_server_key()
        host_key = HostKey(key.get_name(), key.asbytes())
        check_host_key(hop, host_key)
        log_in(transport, hop, host_key)
    except BaseException:
        close_quietly(transport)
        raise
    return transport


def _close(stream: Stream | Channel) -> None:
    if isinstance(stream, Stream):
        stream.close()
    else:
        close_quietly(stream)


def _exchange_keys(transport: QuickTransport, hop: Endpoint, cause: Callable[[], str]) -> None:
    with contextlib.suppress(OSError):
        # Whether the files can be read is told when the key is checked.
        transport.prefer_host_keys([entry.key.kind for entry in known_keys(hop)])
    began = time.monotonic()
    try:
        in_time = transport.handshake(hop.connect_timeout)
    except IncompatiblePeer as exc:
        raise Unreachable(
            hop.host, f"{hop}: {exc}", remedy="The server offers old algorithms only; update it."
        ) from exc
    except (SSHException, EOFError, OSError) as exc:
        if isinstance(exc.__context__, TimeoutError) and time.monotonic() - began >= hop.connect_timeout:
            raise _too_slow(hop) from exc
        message = f"{hop} closed the connection before the login" + (f" ({cause()})" if cause() else "")
        raise ConnectionLost(
            hop.host, message, remedy="See sshd's log there; MaxStartups and penalties do this."
        ) from exc
    if not in_time:
        raise _too_slow(hop)


def _too_slow(hop: Endpoint) -> TimedOut:
    return TimedOut(hop.host, f"{hop} took the connection and said nothing of SSH within {hop.connect_timeout:g} s")


def _forward(transport: QuickTransport, hop: Endpoint) -> Channel:
    """A TCP connection from the last jump host to the next hop."""
    try:
        address, here = (hop.address, hop.port), ("127.0.0.1", 0)
        return transport.open_channel("direct-tcpip", address, here, timeout=hop.connect_timeout)
    except (SSHException, EOFError, OSError) as exc:
        raise Unreachable(
            hop.host, f"the jump host cannot reach {hop}: {exc}", remedy="Check ProxyJump and AllowTcpForwarding there."
        ) from exc
