"""paramiko talking to paramiko, in this process."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from paramiko import (
    Channel,
    ECDSAKey,
    ServerInterface,
    SFTPAttributes,
    SFTPHandle,
    SFTPServer,
    SFTPServerInterface,
    Transport,
)
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

CONTACT_TIMEOUT = 30.0  # seconds for what has to come
NEVER = 0.3  # seconds in which what must not come does not


@dataclass
class PairServer(ServerInterface):
    """Lets everybody in. It says yes to a command once `consent` is set, and `asked` is set when there is one."""

    asked: threading.Event = field(default_factory=threading.Event)
    consent: threading.Event = field(default_factory=threading.Event)
    commands: list[bytes] = field(default_factory=list)

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: Channel, command: bytes) -> bool:
        self.commands.append(command)
        self.asked.set()
        return self.consent.wait(CONTACT_TIMEOUT)


@dataclass(frozen=True)
class Pair:
    """Both ends of one connection, logged in."""

    client: Transport
    remote: Transport
    server: PairServer

    def channel(self) -> tuple[Channel, Channel]:
        """A session, here and over there."""
        here, there = self.client.open_session(), self.remote.accept(CONTACT_TIMEOUT)
        assert there is not None
        return here, there


@contextmanager
def pair(kind: type[Transport] = Transport, file: bytes = b"") -> Iterator[Pair]:
    """A client of this kind and a server, on which every SFTP path is one file with these bytes."""
    ours, theirs = socket.socketpair()
    remote, server = Transport(theirs), PairServer()
    remote.add_server_key(ECDSAKey.generate())
    remote.set_subsystem_handler("sftp", SFTPServer, _OneFile, file)
    client = kind(ours)
    try:
        remote.start_server(threading.Event(), server)
        client.start_client(timeout=CONTACT_TIMEOUT)
        client.auth_none("anybody")
        yield Pair(client, remote, server)
    finally:
        server.consent.set()
        client.close()
        remote.close()


class _OneFile(SFTPServerInterface):
    def __init__(self, server: ServerInterface, content: bytes) -> None:
        super().__init__(server)
        self._content = content

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle:
        handle = SFTPHandle(flags)
        vars(handle)["readfile"] = io.BytesIO(self._content)
        return handle
