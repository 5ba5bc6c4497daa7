"""What the core needs of a way to a host; `ssh` and `local` beside it are the two ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


def do_nothing() -> None:
    """What is called where nobody wants to know."""


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


@dataclass(frozen=True, slots=True)
class Milestone:
    """A line within an answer that means something before the answer is whole.

    `reached` gets what came before it, in the thread that asks. From then on the script is not sent again.
    """

    line: bytes
    reached: Callable[[bytes], None]


class Connection(Protocol):
    """One way to one host, opened on first use and reused; safe to use from several threads.

    Raises only `remotejobs.errors.HostError` and its children.
    """

    host: str

    def ask(
        self,
        script: bytes,
        *,
        end: bytes,
        become: Become | None,
        timeout: float,
        max_bytes: int,
        milestone: Milestone | None = None,
    ) -> Reply:
        """Feed `script` to `sh -s` over there and return its output up to and with the mark `end`.

        `timeout` is seconds for the whole exchange; more than `max_bytes` of output is `ProtocolError`.
        A connection found dead on the way is opened again, with backoff; `script` may then be sent twice, but not once
        the `milestone` was read, which is reported at once.
        """

    def close(self) -> None:
        """Close it; a later `ask` opens it again."""


class OpenShell(Protocol):
    """A shell on a host, which waits for the next question."""

    def close(self) -> None:
        """End it."""


@dataclass(slots=True)
class Stay:
    """The shell that one caller keeps from question to question: one round trip and some 300 bytes each.

    It costs its host a waiting `sh` (a third of a megabyte with dash, 1.2 MiB with bash) and one of the connection's
    sessions, until `close`. For one thread, as one user.
    """

    shell: OpenShell | None = field(default=None, repr=False)

    def close(self) -> None:
        """End the shell; a later question opens another."""
        shell, self.shell = self.shell, None
        if shell is not None:
            shell.close()

    def __enter__(self) -> Stay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PendingReply(Protocol):
    """A question that a shell that stays was sent, and its answer, which takes its time. For one thread at a time."""

    def is_there(self) -> bool:
        """Whether `reply` would return at once. Raises `HostError`."""

    def reply(self) -> Reply | None:
        """Wait for it. None where it did not come whole: the shell has ended. Raises `HostError`."""


@runtime_checkable
class KeepsShells(Protocol):
    """A connection over which a shell can stay open."""

    def ask_staying(
        self,
        stay: Stay,
        opening: Callable[[], bytes],
        question: bytes,
        *,
        end: bytes,
        become: Become | None,
        timeout: float,
        max_bytes: int,
        on_answer: Callable[[], None] = do_nothing,
    ) -> PendingReply | None:
        """Ask the shell of `stay`: `question`, or `opening` where there is none yet.

        `on_answer` is called, in any thread, whenever more of the answer has come, and must not block. None where that
        does not work, and `ask` has to. Raises `HostError`.
        """
