"""What the core needs of a way to a host; `ssh` and `local` beside it are the two ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol, runtime_checkable

from remotejobs.errors import HostError


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


@dataclass(frozen=True, slots=True)
class Question:
    """A shell text for a host, and how its answer is read.

    `script` is fed to `sh -s` over there, as another user with `become`. The answer is its output up to and with the
    mark `end`; more than `max_bytes` of it is `ProtocolError`. `timeout` is in seconds and bounds the whole exchange.
    The `milestone` is reported as soon as it is read.
    """

    script: bytes = field(repr=False)
    _: KW_ONLY
    end: bytes
    timeout: float
    max_bytes: int
    become: Become | None = None
    milestone: Milestone | None = None


class Connection(Protocol):
    """One way to one host, opened on first use and reused; safe to use from several threads.

    Raises only `remotejobs.errors.HostError` and its children.
    """

    host: str

    def ask(self, question: Question) -> Reply:
        """Run the script of `question` over there and return its answer.

        A connection found dead on the way is opened again, with backoff; the script may then be sent twice, but not
        once its milestone was read.
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
    """A question that was sent, and its answer, which takes its time. For one thread at a time."""

    def is_there(self) -> bool:
        """Whether `reply` would return at once. Raises `HostError`."""

    def reply(self) -> Reply | None:
        """Wait for it. None where it did not come whole: the shell that stays has ended. Raises `HostError`."""

    def close(self) -> None:
        """Nobody waits for it any more. A shell that stays is its caller's to close."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Implements `PendingReply` for an answer that has come already, or for the error in its place."""

    answer: Reply | HostError

    def is_there(self) -> bool:
        return True

    def reply(self) -> Reply:
        if isinstance(self.answer, HostError):
            raise self.answer
        return self.answer

    def close(self) -> None:
        """Nothing is under way."""


@runtime_checkable
class CallsBack(Protocol):
    """A connection that calls when something of an answer has come, so that no thread need wait for it.

    `on_answer` is called in any thread and must not block.
    """

    def ask_soon(self, question: Question, on_answer: Callable[[], None] = do_nothing) -> PendingReply:
        """Ask as `Connection.ask` does, and return once the milestone was read, or with the answer if none came."""

    def ask_staying(
        self, stay: Stay, question: Question, opening: Callable[[], bytes], on_answer: Callable[[], None] = do_nothing
    ) -> PendingReply | None:
        """Ask the shell of `stay`, and return. Where there is none yet, a new one is sent `opening` in place of the
        script. None where that does not work, and `ask` has to. Raises `HostError`.
        """
