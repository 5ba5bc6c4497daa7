"""paramiko's transport, tuned: quick algorithms first, no wake-ups while idle, no wait without an end."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence

from paramiko import Channel
from paramiko.ssh_exception import SSHException

from remotejobs.connections.ssh.endpoint import Algorithms
from remotejobs.connections.ssh.login.certificates import SUFFIX
from remotejobs.connections.ssh.transport.algorithms import NothingLeft, chosen
from remotejobs.connections.threads import small_stacks
from remotejobs.workarounds.paramiko.eager import EagerTransport
from remotejobs.workarounds.paramiko.idle_transport import IdleTransport
from remotejobs.workarounds.paramiko.packets import BoundedPacketizer

KEEPALIVE = 30
USUAL = Algorithms()

FIRST_KEX = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
)
FIRST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr")

# What it has to say is raised as an error; its own tracebacks would only frighten. A level set before is respected.
if not logging.getLogger("paramiko").level:
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class QuickTransport(EagerTransport, IdleTransport):
    """A client's transport over a connected socket or a channel of another transport.

    `NothingLeft` names a list of `algorithms` of which nothing exists here.
    """

    def __init__(self, stream: socket.socket | Channel, algorithms: Algorithms = USUAL) -> None:
        super().__init__(stream)
        self.set_keepalive(KEEPALIVE)
        security = self.get_security_options()
        usual_kex = _first(FIRST_KEX, ("curve25519-sha256", *security.kex))
        security.kex = _named("KexAlgorithms", algorithms.kex, usual_kex)
        security.ciphers = _named("Ciphers", algorithms.ciphers, _first(FIRST_CIPHERS, security.ciphers))
        security.digests = _named("MACs", algorithms.macs, tuple(security.digests))
        kinds = tuple(security.key_types)
        self._kinds = _named("HostKeyAlgorithms", algorithms.host_keys, (*kinds, *(kind + SUFFIX for kind in kinds)))
        self._kinds_are_fixed = bool(algorithms.host_keys) and algorithms.host_keys[0] not in "+-^"

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The kinds of host keys to ask for, in this order."""
        return self._kinds

    @property
    def words(self) -> list[str]:
        """What the server has said that was no version."""
        heard = self.packetizer.lines if isinstance(self.packetizer, BoundedPacketizer) else []
        return [line for line in heard if line and not line.startswith("SSH-")]

    @property
    def ours(self) -> dict[str, tuple[str, ...]]:
        """Our lists of algorithms by their keyword, for messages."""
        security = self.get_security_options()
        return {
            "KexAlgorithms": tuple(security.kex),
            "HostKeyAlgorithms": self.preferred_keys,
            "Ciphers": tuple(security.ciphers),
            "MACs": tuple(security.digests),
        }

    def prefer_host_keys(self, kinds: list[str], *, certified: bool) -> None:
        """Ask for a host key that is known, if the server has several, or first for a certificate."""
        if self._kinds_are_fixed:
            return
        certificates = [kind for kind in self._kinds if kind.endswith(SUFFIX)] if certified else []
        known = [kind for one in kinds for kind in _signatures(one)]
        self._kinds = _first((*certificates, *dict.fromkeys(known)), self._kinds)

    def handshake(self, timeout: float) -> bool:
        """Exchange keys; False when it took too long, otherwise paramiko's exception on failure."""
        done = threading.Event()
        self.banner_timeout = self.handshake_timeout = self.auth_timeout = timeout
        with small_stacks():
            self.start_client(event=done)
        if not done.wait(timeout):
            return False
        if not self.is_active():
            raise _known_kind(self.get_exception())
        return True


def _named(keyword: str, written: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return chosen(written, usual)
    except NothingLeft as exc:
        raise NothingLeft(f"{keyword} {exc}") from exc


def _known_kind(failure: Exception | None) -> Exception:
    """The reading thread keeps whatever it died of, even a ValueError over a garbled packet."""
    if failure is None or isinstance(failure, SSHException | EOFError | OSError):
        return failure or EOFError()
    return SSHException(f"not understood: {failure!r}")


def _first(wanted: tuple[str, ...], offered: Sequence[str]) -> tuple[str, ...]:
    """`offered` with what is in `wanted` in front."""
    front = tuple(name for name in wanted if name in offered)
    return (*front, *(name for name in offered if name not in front))


def _signatures(kind: str) -> tuple[str, ...]:
    """An RSA key has one name and two ways to sign."""
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
