"""A short question to a host's shell: for what ends at once and leaves nothing behind. Longer things are jobs.

Either may call a function of a shell text that lies beside its Python module.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from remotejobs.agent.request import agent_text
from remotejobs.connections.base import Become, Connection, Question
from remotejobs.connections.host_words import BROKEN_OFF, NOTHING, words_of_host
from remotejobs.errors import ConnectionLost, ProtocolError
from remotejobs.text import visible

TIMEOUT = 30.0  # seconds for an answer
LONGEST = 4 * 1024 * 1024  # bytes of an answer
_END = "answered"  # the last line of a function's answer


@dataclass(frozen=True, slots=True)
class ShellResult:
    """The answer: both output streams, as one text, and the exit code."""

    rc: int
    output: str


class Shell:
    """Asks one host, as one user. The connection may send a question twice, so it must do no harm to ask again."""

    def __init__(self, connection: Connection, *, become: Become | None = None) -> None:
        self.host = connection.host
        self._connection = connection
        self._become = become

    def run(self, script: str, *, timeout: float = TIMEOUT) -> ShellResult:
        """Run `script` by sh over there, with nothing on its stdin. Raises `HostError`."""
        nonce = secrets.token_hex(8)
        begin, end = f"\nremotejobs begin {nonce}\n", f"remotejobs end {nonce}\n"
        asked = framed(script, nonce).encode()
        reply = self._connection.ask(
            Question(asked, end=end.encode(), timeout=timeout, max_bytes=LONGEST, become=self._become)
        )
        text = reply.stdout.decode("utf-8", "replace")
        _, found, body = text.partition(begin)
        if not found:
            said = words_of_host(asked, (), reply.stderr, reply.stdout)
            raise ProtocolError(self.host, f"the shell did not answer; it said: {said or NOTHING}")
        if not reply.complete:
            said = words_of_host(asked, (), reply.stderr)
            raise ConnectionLost(self.host, f"{BROKEN_OFF}{said and '; the host said: '}{said}")
        output, _, rc = body.removesuffix(end).rstrip("\n").rpartition("\n")
        if not re.fullmatch(r"\d{1,3}", rc, re.ASCII):
            raise ProtocolError(self.host, f"the answer ends with {rc[-40:]!r} where an exit code must be")
        return ShellResult(int(rc), output)


def framed(script: str, nonce: str) -> str:
    """What is sent: the answer stands between two lines that no one else knows, the exit code in its last line."""
    lines = [
        "{",
        # The empty line first: what a start-up file printed may lack its last newline.
        f"printf '\\n%s\\n' 'remotejobs begin {nonce}'",
        f"sh -c {shlex.quote(script)} </dev/null 2>&1",
        f"""printf '\\n%s\\n%s\\n' "$?" 'remotejobs end {nonce}'""",
        "exit",
        "}",
    ]
    return "\n".join([*lines, ""])


@cache
def text_of(package: str, name: str) -> str:
    """A shell text that lies beside its Python module."""
    return resources.files(package).joinpath(name).read_text("ascii")


def command_of(text: str, *words: str, before: Sequence[str] = ()) -> str:
    """The command of a job that calls the function `words` of `text`, comments and all: a person may read it there.

    The lines `before` come first.
    """
    return "\n".join([*before, text, shlex.join(words), ""])


def call(shell: Shell, texts: tuple[str, ...], words: tuple[str, ...]) -> dict[str, str]:
    """The fields that the function `words` answers with; `error CODE MESSAGE` is one of them. All in printable text.

    Raises `HostError`; `ProtocolError` when the answer is not whole.
    """
    script = "\n".join([agent_text("\n".join(texts)), *texts, shlex.join(words), f"echo {_END}"])
    said = shell.run(script)
    lines = said.output.splitlines()
    if not lines or lines[-1] != _END:
        heard = words_of_host(script.encode(), (), said.output.encode())
        raise ProtocolError(shell.host, f"no whole answer came back; the host said: {heard or NOTHING}")
    return {key: visible(value) for key, _, value in (line.partition(" ") for line in lines[:-1])}
