"""Ask for a command to be run, and go on at once.

Seen with paramiko 5.1.0. `Channel.exec_command` waits for the server's consent: a round trip that nothing needs,
because a refusal closes the channel, and a wait that has no time limit.

Upstream: https://github.com/paramiko/paramiko/issues/2599 (open; https://github.com/paramiko/paramiko/pull/2618 would
give it a limit). The public way would be `exec_command` with a limit, and the choice not to wait.
"""

from __future__ import annotations

from paramiko import Channel, Message, Transport
from paramiko.common import cMSG_CHANNEL_REQUEST

from remotejobs.workarounds.private import require

require("paramiko", Transport, "_send_user_message")
require("paramiko", Channel.exec_command, "remote_chanid", "_send_user_message")


def request_exec(transport: Transport, channel: Channel, command: str) -> None:
    """Run `command` on an open session of `transport`. A refusal closes the channel."""
    transport._send_user_message(exec_message(channel.remote_chanid, command))  # type: ignore[attr-defined]


def exec_message(channel: int, command: str) -> Message:
    """What asks the server to run `command` on its channel of that number."""
    message = Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(command)
    return message
