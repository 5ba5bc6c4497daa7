"""The keys of an SSH agent, with an end to every wait: an agent that fails costs its keys and not the login.

paramiko's own client of the agent knows no other socket than that of the environment, no time limit, and no key that it
cannot do itself; an agent that refuses to sign ends its connection.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from remotejobs.connections.ssh.host_keys.known_hosts import HostKey

WITHIN = 5.0  # seconds for each answer
LONGEST = 256 * 1024  # bytes, as in OpenSSH
_REQUEST_IDENTITIES, _IDENTITIES, _SIGN_REQUEST, _SIGN_RESPONSE = 11, 12, 13, 14
_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}


class AgentFailed(Exception):
    """The agent did not do what it was asked for; the text says how."""


@dataclass(frozen=True, slots=True)
class AgentKey:
    """One key that the agent holds."""

    key: HostKey
    comment: str


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent at a socket; each question is a connection of its own."""

    path: str

    @classmethod
    def of(cls, identity_agent: str) -> Agent | None:
        """The agent that IdentityAgent names; "" for that of the environment. None where there is none."""
        path = identity_agent or os.environ.get("SSH_AUTH_SOCK", "")
        return None if path in ("", "none") else cls(path)

    def held(self) -> tuple[AgentKey, ...]:
        """What it holds; `AgentFailed` when it does not say so."""
        answer = self._ask(bytes([_REQUEST_IDENTITIES]), _IDENTITIES)
        fields = _AgentFields(answer)
        found = []
        for _ in range(fields.number()):
            blob, comment = fields.string(), fields.string()
            found.append(
                AgentKey(HostKey(_AgentFields(blob).string().decode("ascii", "replace"), blob), _text(comment))
            )
        return tuple(found)

    def sign(self, key: HostKey, data: bytes, algorithm: str) -> bytes:
        """The signature of one of its keys; `AgentFailed` when it refuses, or does not answer."""
        flags = _FLAGS.get(algorithm.removesuffix("-cert-v01@openssh.com"), 0)
        request = bytes([_SIGN_REQUEST]) + _string(key.blob) + _string(data) + struct.pack(">I", flags)
        return _AgentFields(self._ask(request, _SIGN_RESPONSE)).string()

    def _ask(self, request: bytes, wanted: int) -> bytes:
        with self._connected() as agent:
            agent.sendall(_string(request))
            length = int.from_bytes(_exactly(agent, 4), "big")
            if not 0 < length <= LONGEST:
                raise AgentFailed("it answers something else")
            answer = _exactly(agent, length)
        if answer[0] != wanted:
            raise AgentFailed("it refuses")
        return answer[1:]

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
                agent.settimeout(WITHIN)
                agent.connect(self.path)
                yield agent
        except TimeoutError as exc:
            raise AgentFailed(f"it did not answer within {WITHIN:g} s") from exc
        except ConnectionError as exc:
            gone = isinstance(exc, ConnectionRefusedError)
            raise AgentFailed("nothing listens there" if gone else "it hung up") from exc
        except OSError as exc:
            raise AgentFailed(f"it cannot be asked: {exc.strerror or exc}") from exc


class _AgentFields:
    """The fields of an answer; `AgentFailed` where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def string(self) -> bytes:
        return self._take(self.number())

    def _take(self, length: int) -> bytes:
        if length > len(self._data):
            raise AgentFailed("its answer ends too early")
        taken, self._data = self._data[:length], self._data[length:]
        return taken


def _exactly(agent: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        if not (more := agent.recv(length - len(data))):
            raise AgentFailed("it hung up")
        data += more
    return data


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
