"""One event for whatever arrives on a channel, of either stream, and for its end.

Seen with paramiko 5.1.0. The public ways wait for one stream of one channel (`recv`, `recv_stderr`), or need a pipe,
three file descriptors for each channel (`fileno`). paramiko makes that pipe with the very events that are set here.

Upstream: no report of it was found. The public way would be an event, or a callback, of `Channel`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from paramiko import Channel
from paramiko.buffered_pipe import BufferedPipe

from remotejobs.workarounds.private import require

require("paramiko", BufferedPipe, "set_event")
require("paramiko", Channel.fileno, "in_buffer", "in_stderr_buffer", "set_event")


class Wake(threading.Event):
    """An event that also calls, in the thread that reads the connection: what it calls must not block."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def set(self) -> None:
        """It has come, whatever it is."""
        super().set()
        self._call()


def wake_on_input(channel: Channel, wake: threading.Event) -> None:
    """Set `wake` whenever something can be read from `channel`, and when its streams end."""
    channel.in_buffer.set_event(wake)
    channel.in_stderr_buffer.set_event(wake)
