"""One event for whatever arrives on a channel, of either stream, and for its end.

Seen with paramiko 5.1.0. The public ways wait for one stream of one channel (`recv`, `recv_stderr`), or need a pipe,
three file descriptors for each channel (`fileno`). paramiko makes that pipe with the very events that are set here.

Upstream: no report of it was found. The public way would be an event, or a callback, of `Channel`.
"""

from __future__ import annotations

import threading

from paramiko import Channel
from paramiko.buffered_pipe import BufferedPipe

from remotejobs.workarounds.private import require

require("paramiko", BufferedPipe, "set_event")
require("paramiko", Channel.fileno, "in_buffer", "in_stderr_buffer", "set_event")


def wake_on_input(channel: Channel, wake: threading.Event) -> None:
    """Set `wake` whenever something can be read from `channel`, and when its streams end."""
    channel.in_buffer.set_event(wake)
    channel.in_stderr_buffer.set_event(wake)
