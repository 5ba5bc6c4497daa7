"""A file of a host, read over a connection of its own as the user whose it is: SFTP knows only the one who logs in."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from remotejobs.connections.base import Become, Connection, Question
from remotejobs.connections.host_words import words_of_host
from remotejobs.errors import ConnectionLost, FileRefused

_MIB = 1024 * 1024
_WINDOW = 8  # MiB in one answer
_WITHIN = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class Source:
    """Raises `FileRefused` for what the host refuses, and `Unreachable`, after which the same may be asked again."""

    connection: Connection
    become: Become | None

    def fetch(self, path: str, write: Callable[[bytes], None], at: int, size: int) -> None:
        """Give the bytes from `at` to `size` of `path` to `write`."""
        while at < size:
            window = self._window(path, at // _MIB)[at % _MIB : size - at // _MIB * _MIB]
            if not window:
                raise FileRefused(self.connection.host, f"{path} became shorter than {size} bytes, or cannot be read")
            write(window)
            at += len(window)

    def _window(self, path: str, mib: int) -> bytes:
        nonce = secrets.token_hex(16)
        begin, end = f"begin {nonce}\n".encode(), f"\nend {nonce}\n".encode()
        script = (
            f"printf 'begin %s\\n' {nonce}\n"
            f"dd if={shlex.quote(path)} bs={_MIB} skip={mib} count={_WINDOW} 2>/dev/null\n"
            f"printf '\\nend %s\\n' {nonce}\nexit\n"
        ).encode()
        longest = (_WINDOW + 1) * _MIB
        reply = self.connection.ask(Question(script, end=end, timeout=_WITHIN, max_bytes=longest, become=self.become))
        _, found, rest = reply.stdout.partition(begin)
        if not found or not reply.complete:
            said = words_of_host(script, (), reply.stderr)
            raise ConnectionLost(self.connection.host, f"{path} came only in part; the host said: {said or 'nothing'}")
        return rest.removesuffix(end)
