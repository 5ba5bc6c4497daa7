"""Packets that are not believed whatever length they announce, writes that do not wait for ever, and few reads.

Seen with paramiko 5.1.0. Its own packetizer waits for 4 GB where a server announces them before any login,
writes for as long as the other side does not read, and raises where it is closed over a jump host that is gone. What
is said in the place of a version is thrown away. It reads each packet by two calls to the system, and starts a thread
for each handshake, as a clock. That another class may be given is documented; what it has to
override is not.

Upstream: https://github.com/paramiko/paramiko/issues/2479 (open: timeouts that nothing checks). The public way would
be a time limit for writes and a longest packet as arguments of `Transport`.
"""

from __future__ import annotations

import contextlib
import socket
import time

from paramiko.packet import NeedRekeyException, Packetizer
from paramiko.ssh_exception import SSHException

from remotejobs.workarounds.private import require

require("paramiko", Packetizer.read_message, "read_all")
require("paramiko", Packetizer.read_all, "handshake_timed_out", "_check_keepalive", "_Packetizer__remainder")
require("paramiko", Packetizer.readline, "_Packetizer__remainder")
require("paramiko", Packetizer.send_message, "write_all")
require("paramiko", Packetizer, "readline")

WRITE_WITHIN = 15.0  # seconds
LONGEST_PACKET = 1024 * 1024  # bytes; OpenSSH sends a quarter of that at most
AHEAD = 32 * 1024  # bytes that are read at a time, if they are there
AT_REST = 2 * 1024  # bytes that are waited for where nothing is under way: memory that each quiet connection holds


class BoundedPacketizer(Packetizer):
    """For the argument `packetizer_class` of `paramiko.Transport`."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._stream = sock
        self.lines: list[str] = []
        self._ahead = bytearray()
        self._handshake_ends = 0.0
        self._handshake_done = False

    def close(self) -> None:
        """Over a jump host closing means sending, and the connection to the jump host may be gone."""
        with contextlib.suppress(SSHException, EOFError, OSError):
            super().close()

    def start_handshake(self, timeout: float) -> None:
        self._handshake_ends = self._handshake_ends or time.monotonic() + timeout

    def handshake_timed_out(self) -> bool:
        return not self._handshake_done and 0 < self._handshake_ends < time.monotonic()

    def complete_handshake(self) -> None:
        self._handshake_done = True

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """A packet's length is the server's word, given before any login."""
        if n > LONGEST_PACKET:
            raise SSHException(f"a packet of {n} bytes was announced")
        ahead = self._ahead
        if self._Packetizer__remainder:  # type: ignore[has-type]  # what came behind the version
            ahead += self._Packetizer__remainder  # type: ignore[has-type]
            self._Packetizer__remainder = b""
        while len(ahead) < n:
            if self.handshake_timed_out():
                raise EOFError
            try:
                data = self._stream.recv(AHEAD if ahead else AT_REST)
            except TimeoutError:
                if self.closed:
                    raise EOFError from None
                if check_rekey and not ahead and self.need_rekey():
                    raise NeedRekeyException from None
                self._check_keepalive()  # type: ignore[attr-defined]
                continue
            except OSError:
                if self.closed:
                    raise EOFError from None
                raise
            if not data:
                raise EOFError
            ahead += data
        packet = bytes(ahead[:n])
        del ahead[:n]
        return packet

    def readline(self, timeout: float) -> str:
        """What comes before the keys are exchanged: the server's version, or its reason to give none."""
        line = super().readline(timeout)
        self.lines.append(str(line).strip())
        return line

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
