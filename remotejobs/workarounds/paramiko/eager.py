"""Two round trips less for a login and its first command: what needs no answer is sent at once.

Seen with paramiko 5.1.0. It waits for the server's consent to the service `ssh-userauth`, asks for that again with each
attempt, and waits for the number of a channel before it says what to run there. RFC 4252 and 4254 ask for no such
waiting: a server takes one message after the other.

Upstream: no report of it was found. The public way would be an `AuthHandler` of one's choice, and a command given with
the request for a session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from paramiko import Channel, Message, PKey, Transport
from paramiko.auth_handler import AuthHandler
from paramiko.common import cMSG_CHANNEL_OPEN
from paramiko.ssh_exception import SSHException

from remotejobs.workarounds.paramiko.exec_request import exec_message
from remotejobs.workarounds.private import require

require("paramiko", AuthHandler, "_parse_service_accept", "_get_key_type_and_bits")
require("paramiko", AuthHandler.auth_publickey, "_request_auth", "private_key")
require("paramiko", AuthHandler.auth_password, "_request_auth")
require("paramiko", AuthHandler.auth_interactive, "_request_auth")
require("paramiko", Transport.open_channel, "_send_user_message", "channels_seen")
require("paramiko", Transport._parse_ext_info, "server_extensions")  # type: ignore[attr-defined]

_SERVICE = "ssh-userauth"
_FIRST = 0  # the number of a connection's first channel
_COUNTS_FROM_THERE = "SSH-2.0-OpenSSH_"


class _EagerAuth(AuthHandler):
    """One attempt to log in. The service is asked for with the first, and the attempt follows without waiting."""

    _waits = False

    def _request_auth(self) -> None:
        transport: Any = self.transport
        if not transport.asked_for_service:
            transport.asked_for_service = True
            super()._request_auth()  # type: ignore[misc]
            # How an RSA key may sign, the server says before its consent.
            self._waits = self.auth_method == "publickey" and self._is_rsa() and not transport.server_extensions
        if not self._waits:
            super()._parse_service_accept(_consent())  # type: ignore[misc]

    def _parse_service_accept(self, message: Message) -> None:
        if self._waits:
            super()._parse_service_accept(message)  # type: ignore[misc]

    def _is_rsa(self) -> bool:
        kind: str = self._get_key_type_and_bits(self.private_key)[0]  # type: ignore[attr-defined]
        return "rsa" in kind


class EagerTransport(Transport):
    """A client's transport that waits for no consent."""

    def __init__(self, *stream: Any, **options: Any) -> None:
        super().__init__(*stream, **options)
        self.asked_for_service = False
        self._first_open = threading.RLock()
        self._behind: Message | None = None

    def auth_publickey(self, username: str, key: PKey, *_: Any, **__: Any) -> list[str]:
        return self._authenticate(lambda handler, over: handler.auth_publickey(username, key, over))

    def auth_password(self, username: str, password: str, *_: Any, **__: Any) -> list[str]:
        return self._authenticate(lambda handler, over: handler.auth_password(username, password, over))

    def auth_interactive(self, username: str, handler: Any, submethods: str = "") -> list[str]:
        return self._authenticate(lambda mine, over: mine.auth_interactive(username, handler, over, submethods))

    def _authenticate(self, ask: Callable[[AuthHandler, threading.Event], None]) -> list[str]:
        if not self.is_active() or not self.initial_kex_done:
            raise SSHException("No existing session")
        over = threading.Event()
        self.auth_handler = handler = _EagerAuth(self)
        ask(handler, over)
        return handler.wait_for_response(over)

    def open_session_with(self, command: str, timeout: float) -> Channel | None:
        """The connection's first session, in which `command` runs; the command follows the request for the session.

        None, and nothing was asked for, where its number cannot be known beforehand. Raises `SSHException`, for a
        server that counts otherwise too.
        """
        if not self.remote_version.startswith(_COUNTS_FROM_THERE):
            return None
        with self._first_open:
            if self.channels_seen:
                return None
            self._behind = exec_message(_FIRST, command)
            try:
                channel = self.open_session(timeout=timeout)
            finally:
                self._behind = None  # also where nothing could be sent: it must follow no other request
        if channel.remote_chanid != _FIRST:
            raise SSHException(f"the first channel has the number {channel.remote_chanid}")
        return channel

    def open_channel(self, *kind: Any, **options: Any) -> Channel:
        """The first comes before all others: so its number is known."""
        with self._first_open:
            if not self.channels_seen:
                return super().open_channel(*kind, **options)
        return super().open_channel(*kind, **options)

    def _send_user_message(self, data: Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]
        if self._behind is not None and data.asbytes().startswith(cMSG_CHANNEL_OPEN):
            behind, self._behind = self._behind, None
            super()._send_user_message(behind)  # type: ignore[misc]


def _consent() -> Message:
    message = Message()
    message.add_string(_SERVICE)
    message.rewind()
    return message
