"""One open way to a host: the transports through the jump hosts and the last one, which asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from paramiko import Channel
from paramiko.ssh_exception import ChannelException, IncompatiblePeer, SSHException

from remotejobs.connections.ssh.backoff import TURNING_AWAY
from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.host_keys.check import check_host_key, is_trusted, known_for
from remotejobs.connections.ssh.host_keys.known_hosts import HostKey
from remotejobs.connections.ssh.login.attempts import log_in
from remotejobs.connections.ssh.login.certificates import Certificate, parse_certificate
from remotejobs.connections.ssh.resolve import SUGGESTED
from remotejobs.connections.ssh.transport.algorithms import NothingLeft
from remotejobs.connections.ssh.transport.channel import close_quietly
from remotejobs.connections.ssh.transport.doors import Lease, SharedLogin, enter
from remotejobs.connections.ssh.transport.login_limiter import learn, limiter_of
from remotejobs.connections.ssh.transport.mismatch import mismatch
from remotejobs.connections.ssh.transport.quick import QuickTransport
from remotejobs.connections.ssh.transport.sockets import SocketStream, open_stream
from remotejobs.errors import (
    ConnectionLost,
    HostKeyUnknown,
    NoCommonAlgorithm,
    TimedOut,
    TurnedAway,
    Unreachable,
    UsageError,
)


class Session:
    """Logged in on the endpoint, all the way. Made by `open_session`."""

    def __init__(self, transport: QuickTransport, resources: ExitStack) -> None:
        self.transport = transport
        self._resources = resources

    @property
    def is_open(self) -> bool:
        return self.transport.is_active()

    def close(self) -> None:
        """End it, the far end first."""
        self._resources.close()


def open_session(endpoint: Endpoint) -> Session:
    """Connect, check the host keys and log in, through the jump hosts, whose logins are shared.

    Raises `Unreachable` or one of its children; `ConnectionLost` is the one that may pass by itself.
    """
    with ExitStack() as resources:
        transport = _open(endpoint.via, endpoint, resources)
        return Session(transport, resources.pop_all())


def _open(via: tuple[Endpoint, ...], hop: Endpoint, resources: ExitStack) -> QuickTransport:
    """A login on `hop`, and in `resources` what it needs."""
    if not via:
        return _open_in_turn(hop, resources)
    *before, last = via

    def log_in_on_the_last() -> SharedLogin:
        with ExitStack() as held:
            shared = _open(tuple(before), last, held)
            return SharedLogin(shared, held.pop_all().close)

    lease = enter(via, hop.host, log_in_on_the_last)
    resources.callback(lease.release)
    return _log_in_within(_forward(lease, hop), hop, resources)


def _open_in_turn(hop: Endpoint, resources: ExitStack) -> QuickTransport:
    """When it is our turn, where that sshd has turned a login away before."""
    limiter = None if hop.proxy_command else limiter_of(hop)
    if limiter is not None and not limiter.enter(time.monotonic() + hop.connect_timeout):
        message = f"{hop} turns connections away, and there was no turn within {hop.connect_timeout:g} s"
        raise TurnedAway(hop.host, message)
    try:
        transport = _log_in_within(open_stream(hop, hop.connect_timeout), hop, resources)
    except TurnedAway:
        learn(hop, limiter)
        raise
    finally:
        if limiter is not None:
            limiter.leave()
    if limiter is not None:
        limiter.got_in()
    return transport


def _log_in_within(stream: SocketStream | Channel, hop: Endpoint, resources: ExitStack) -> QuickTransport:
    resources.callback(_close, stream)
    transport = _log_in_over(stream, hop)
    resources.callback(close_quietly, transport)
    return transport


def _log_in_over(stream: SocketStream | Channel, hop: Endpoint) -> QuickTransport:
    known = known_for(hop)
    try:
        transport = QuickTransport(stream.socket if isinstance(stream, SocketStream) else stream, hop.algorithms)
    except NothingLeft as exc:
        raise UsageError(f"{hop.host}: {exc}", remedy=f"{SUGGESTED}, or change the list in ssh_config.") from exc
    try:
        transport.prefer_host_keys([one.key.kind for one in known.keys], certified=bool(known.authorities))
        _exchange_keys(transport, hop, stream.cause if isinstance(stream, SocketStream) else str)
        key, certificate = _shown(transport, hop)
        peer = stream.peer() if isinstance(stream, SocketStream) else ""
        check_host_key(hop, known, key, certificate=certificate, peer=peer)
        log_in(transport, hop, is_trusted(known, key, certificate))
    except BaseException:
        close_quietly(transport)
        raise
    return transport


def _shown(transport: QuickTransport, hop: Endpoint) -> tuple[HostKey, Certificate | None]:
    """The key that the server has shown that it holds, and the certificate that came with it."""
    key = transport.get_remote_server_key()
    if key.get_name() == "ssh-rsa" and key.get_bits() < hop.algorithms.least_rsa_bits:
        message = f"{hop} shows an RSA key of {key.get_bits()} bits"
        raise HostKeyUnknown(hop.host, message, remedy=f"RequiredRSASize wants {hop.algorithms.least_rsa_bits}.")
    plain = HostKey(key.get_name(), key.asbytes())
    if (public := key.public_blob) is None:
        return plain, None
    try:
        certificate = parse_certificate(public.key_blob)
    except ValueError as exc:
        message = f"{hop} shows a certificate that is damaged ({exc})"
        raise HostKeyUnknown(hop.host, message, remedy="Check HostCertificate there.") from exc
    return (plain, None) if certificate is None else (certificate.key, certificate)


def _close(stream: SocketStream | Channel) -> None:
    if isinstance(stream, SocketStream):
        stream.close()
    else:
        close_quietly(stream)


def _exchange_keys(transport: QuickTransport, hop: Endpoint, cause: Callable[[], str]) -> None:
    began = time.monotonic()
    try:
        in_time = transport.handshake(hop.connect_timeout)
    except IncompatiblePeer as exc:
        message, remedy = mismatch(transport.offered, transport.ours, transport.remote_version)
        raise NoCommonAlgorithm(hop.host, f"{hop}: {message}", remedy=remedy) from exc
    except (SSHException, EOFError, OSError) as exc:
        if isinstance(exc.__context__, TimeoutError) and time.monotonic() - began >= hop.connect_timeout:
            raise _too_slow(hop, cause()) from exc
        raise _closed(transport, hop, cause()) from exc
    if not in_time:
        raise _too_slow(hop, cause())


def _closed(transport: QuickTransport, hop: Endpoint, cause: str) -> ConnectionLost:
    """What came in place of a version distinguishes a full or a punishing sshd from all others."""
    words = " / ".join(transport.words)
    if any(sign in words for sign in TURNING_AWAY):
        message = (
            f"{hop} turned the connection away ({words}): too many logins at a time, or a penalty for this address"
        )
        return TurnedAway(hop.host, message)
    why = "; ".join(filter(None, [cause, words]))
    message = f"{hop} closed the connection before the login" + (f" ({why})" if why else "")
    return ConnectionLost(hop.host, message, remedy="See sshd's log there; MaxStartups and penalties do this.")


def _too_slow(hop: Endpoint, cause: str) -> TimedOut:
    why = f" ({cause})" if cause else ""
    message = f"{hop} took the connection and said nothing of SSH within {hop.connect_timeout:g} s{why}"
    return TimedOut(hop.host, message)


def _forward(lease: Lease, hop: Endpoint) -> Channel:
    """A TCP connection from the last jump host to the next hop."""
    began = time.monotonic()
    try:
        address, here = (hop.address, hop.port), ("127.0.0.1", 0)
        channel = lease.transport.open_channel("direct-tcpip", address, here, timeout=hop.connect_timeout)
    except ChannelException as exc:
        lease.passed()
        raise Unreachable(
            hop.host, f"the jump host cannot reach {hop}: {exc}", remedy="Check ProxyJump and AllowTcpForwarding there."
        ) from exc
    except (SSHException, EOFError, OSError) as exc:
        # What is sent fails a moment before the transport is inactive.
        if not lease.transport.is_active() or time.monotonic() - began < hop.connect_timeout:
            raise ConnectionLost(hop.host, f"the connection to the jump host ended on the way to {hop}") from exc
        lease.not_passed(began)
        message = f"the jump host did not reach {hop} within {hop.connect_timeout:g} s"
        raise TimedOut(hop.host, message) from exc
    lease.passed()
    return channel
