"""What the core needs of a way to a host; `ssh` and `local` beside it are the two ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Become:
    """Run as another user by sudo. The password goes to sudo's stdin and nowhere else, hence no repr."""

    user: str = "root"
    password: str | None = None
    program: str = "sudo"

    def __repr__(self) -> str:
        return f"Become(user={self.user!r})"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: bounded bytes. `complete` is whether the end mark was seen."""

    stdout: bytes
    stderr: bytes
    complete: bool


class Connection(Protocol):
    """One way to one host, opened on first use and reused; safe to use from several threads.

    Raises only `remotejobs.errors.HostError` and its children.
    """

    host: str

    def ask(self, script: bytes, *, end: bytes, become: Become | None, timeout: float, max_bytes: int) -> Reply:
        """Feed `script` to `sh -s` over there and return its output up to and with the mark `end`.

        `timeout` is seconds for the whole exchange; more than `max_bytes` of output is `ProtocolError`.
        A connection found dead on the way is opened again, with backoff; `script` may then be sent twice.
        """

    def close(self) -> None:
        """Close it; a later `ask` opens it again."""
