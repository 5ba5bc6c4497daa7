"""paramiko's transport, tuned: quick algorithms first, no wake-ups while idle, no wait without an end."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Sequence

from paramiko import Channel, Message, Transport
from paramiko.common import cMSG_CHANNEL_REQUEST
from paramiko.packet import Packetizer
from paramiko.ssh_exception import SSHException

from remotejobs.threads import small_stacks

KEEPALIVE = 30
IDLE_WAKE = 5.0
WRITE_WITHIN = 15.0
LONGEST_PACKET = 1024 * 1024  # bytes; OpenSSH sends a quarter of that at most

FIRST_KEX = ("curve25519-sha256@libssh.org", "ecdh-sha2-nistp256")
FIRST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr")

# What it has to say is raised as an error; its own tracebacks would only frighten. A level set before is respected.
if not logging.getLogger("paramiko").level:
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class _Packetizer(Packetizer):
    """paramiko's writes for ever when the other side has stopped reading, and believes any length that it is told."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._stream = sock

    def close(self) -> None:
        """Over a jump host closing means sending, and the connection to the jump host may be gone."""
        with contextlib.suppress(SSHException, EOFError, OSError):
            super().close()

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """A packet's length is the server's word, given before anybody has logged in: 4 GB are not waited for."""
        if n > LONGEST_PACKET:
            raise SSHException(f"a packet of {n} bytes was announced")
        return super().read_all(n, check_rekey)

    def write_all(self, out: bytes) -> None:  # type: ignore[override]  # paramiko passes nothing but bytes
        deadline = time.monotonic() + WRITE_WITHIN
        while out:
            try:
                sent = self._stream.send(out)
            except TimeoutError:
                if self.closed or time.monotonic() > deadline:
                    raise EOFError from None
                continue
            except OSError:
                raise EOFError from None
            if not sent:
                raise EOFError
            out = out[sent:]


class QuickTransport(Transport):
    """A client's transport over a connected socket or a channel of another transport."""

    def __init__(self, stream: socket.socket | Channel) -> None:
        super().__init__(stream, packetizer_class=_Packetizer)
        # paramiko looks ten times a second whether it was closed; `stop_thread` below tells it.
        self.sock.settimeout(IDLE_WAKE)
        self.set_keepalive(KEEPALIVE)
        security = self.get_security_options()
        security.kex = _first(FIRST_KEX, security.kex)
        security.ciphers = _first(FIRST_CIPHERS, security.ciphers)

    def prefer_host_keys(self, kinds: list[str]) -> None:
        """Ask for a host key that is known, if the server has several."""
        kinds = [kind for known in kinds for kind in _signatures(known)]
        security = self.get_security_options()
        security.key_types = _first(tuple(dict.fromkeys(kinds)), security.key_types)

    def stop_thread(self) -> None:
        """Wake the reading thread, which otherwise sits in recv() on a socket that is closed under it."""
        with contextlib.suppress(OSError, EOFError):
            self.sock.shutdown(socket.SHUT_RDWR)
        super().stop_thread()

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

    def request_exec(self, channel: Channel, command: str) -> None:
        """Run `command` without waiting for the server's consent: a refusal closes the channel.

        Saves a round trip, and `Channel.exec_command` has no time limit.
        """
        message = Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("exec")
        message.add_boolean(True)
        message.add_string(command)
        self._send_user_message(message)  # type: ignore[attr-defined]  # private, but what Channel itself calls


def _known_kind(failure: Exception | None) -> Exception:
    """The reading thread keeps whatever it died of, even a ValueError over a garbled packet."""
    if failure is None or isinstance(failure, SSHException | EOFError | OSError):
        return failure or EOFError()
    return SSHException(f"not understood: {failure!r}")


def _first(chosen: tuple[str, ...], offered: Sequence[str]) -> tuple[str, ...]:
    """`offered` with what is in `chosen` in front."""
    front = tuple(name for name in chosen if name in offered)
    return (*front, *(name for name in offered if name not in front))


def _signatures(kind: str) -> tuple[str, ...]:
    """An RSA key has one name and two ways to sign."""
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
