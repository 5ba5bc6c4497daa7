"""A server that lets nobody in, and puts lines of its own wherever ssh repeats words of a server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
from paramiko.common import AUTH_FAILED, MSG_DISCONNECT

PASSWORD_HAS_TO_CHANGE = 60  # SSH_MSG_USERAUTH_PASSWD_CHANGEREQ of RFC 4252


class Wicked(paramiko.ServerInterface):
    """Lets nobody in, and says some lines wherever a server may say something that ssh repeats."""

    def __init__(self, transport: paramiko.Transport, lines: str, *, hangs_up: bool) -> None:
        self._transport, self._lines, self._hangs_up = transport, lines, hangs_up

    def check_auth_none(self, username: str) -> int:
        if self._hangs_up:
            message = paramiko.Message()
            message.add_byte(bytes([MSG_DISCONNECT]))
            message.add_int(2)
            self._say(message)
        return AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        message = paramiko.Message()
        message.add_byte(bytes([PASSWORD_HAS_TO_CHANGE]))
        self._say(message)
        return AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return f"password,{self._lines}"

    def _say(self, message: paramiko.Message) -> None:
        message.add_string(self._lines)
        message.add_string("")
        self._transport.packetizer.send_message(message)


@contextmanager
def wicked(lines: str, known: Path, *, hangs_up: bool = False) -> Iterator[int]:
    """Such a server; yields its port. Its key goes to `known`."""
    key = paramiko.ECDSAKey.generate()
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                client, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(key)
            transports.append(transport)
            transport.start_server(threading.Event(), Wicked(transport, lines, hangs_up=hangs_up))

    transports: list[paramiko.Transport] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
        known.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for transport in transports:
                transport.close()
