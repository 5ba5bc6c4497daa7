"""Calling a function of a shell text on a host: as a job, or behind job.sh as a question with lines of `key value`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cache
from importlib import resources

from remotejobs.agent.request import agent_text
from remotejobs.agent.shell import Shell
from remotejobs.connections.host_words import NOTHING, words_of_host
from remotejobs.errors import ProtocolError
from remotejobs.text import visible

_END = "answered"


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
