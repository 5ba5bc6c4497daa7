"""A transport that sleeps while nothing arrives.

Seen with paramiko 5.1.0. Its reading thread wakes ten times a second to check whether the transport was closed: with
hundreds of connections that is what the processor does.

Upstream: https://github.com/paramiko/paramiko/issues/361 (open). The public way would be an argument for that interval,
or a close that wakes the thread.
"""

from __future__ import annotations

import contextlib
import socket

from paramiko import Channel, Transport

from remotejobs.workarounds.paramiko.packets import BoundedPacketizer
from remotejobs.workarounds.paramiko.peer_lists import OpenTransport
from remotejobs.workarounds.private import require

require("paramiko", Transport, "_active_check_timeout")
require("paramiko", Transport.close, "stop_thread", "sock")

IDLE_WAKE = 5.0  # seconds


class IdleTransport(OpenTransport):
    """A transport over a connected socket or a channel of another transport."""

    def __init__(self, stream: socket.socket | Channel) -> None:
        super().__init__(stream, packetizer_class=BoundedPacketizer)
        self.sock.settimeout(IDLE_WAKE)

    def stop_thread(self) -> None:
        """Wake the reading thread, which otherwise sits in recv() on a socket that is closed under it."""
        with contextlib.suppress(OSError, EOFError):
            self.sock.shutdown(socket.SHUT_RDWR)
        super().stop_thread()
