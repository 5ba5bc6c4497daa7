"""Calling a function of a shell text on a host: job.sh goes before it, and its answer is lines of `key value`."""

from __future__ import annotations

import shlex
from functools import cache
from importlib import resources

from remotejobs.display.text import visible
from remotejobs.errors import ProtocolDamaged
from remotejobs.protocol import shell_half
from remotejobs.shell import Shell

_END = "answered"


@cache
def text_of(package: str, name: str) -> str:
    """A shell text that lies beside its Python half."""
    return resources.files(package).joinpath(name).read_text("ascii")


def call(shell: Shell, texts: tuple[str, ...], words: tuple[str, ...]) -> dict[str, str]:
    """The fields that the function `words` answers with; `error CODE MESSAGE` is one of them. All in printable text.

    Raises `HostError`; `ProtocolDamaged` when the answer is not whole.
    """
    said = shell.run("\n".join([shell_half(), *texts, shlex.join(words), f"echo {_END}"]))
    lines = said.output.splitlines()
    if not lines or lines[-1] != _END:
        raise ProtocolDamaged(shell.host, f"no whole answer came back; the end of what came is {said.output[-200:]!r}")
    return {key: visible(value) for key, _, value in (line.partition(" ") for line in lines[:-1])}
