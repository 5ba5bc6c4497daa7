"""Hosts that lie: sshd runs a program of ours instead of the shell, whatever it is asked to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.servers.sshd import SshLab

# Reads the question to its end, as a shell does, and answers with `body` between the very lines that it wants to see.
LIAR = """
import re, sys
asked = sys.stdin.buffer.read()
begin = re.search(rb"'(remotejobs (?:1 )?begin [0-9a-f]+)'", asked)[1]
end = re.search(rb"'(remotejobs end [0-9a-f]+)'", asked)[1]
sys.stdout.buffer.write(b"\\n" + begin + b"\\n" + open({body!r}, "rb").read() + end + b"\\n")
"""


@contextmanager
def forced(directory: Path, command: str) -> Iterator[SshLab]:
    """A host `evil` whose sshd runs `command` for every login."""
    with SshLab(directory, ["evil"], extra_config=[f"ForceCommand {command}"]) as lab:
        yield lab


class Liar:
    """A host `evil` that answers every question in a perfect frame, with what it was last set to say."""

    def __init__(self, lab: SshLab, body: Path) -> None:
        self._lab = lab
        self._body = body

    def says(self, body: bytes) -> None:
        self._body.write_bytes(body)

    @property
    def variables(self) -> dict[str, Any]:
        return self._lab.variables("evil")

    def inventory(self, path: Path) -> Path:
        return self._lab.write_inventory(path)


@contextmanager
def lying(directory: Path) -> Iterator[Liar]:
    body, program = directory / "body", directory / "liar.py"
    program.write_text(LIAR.format(body=str(body)))
    with forced(directory / "lab", f"{sys.executable} -I -S {program}") as lab:
        yield Liar(lab, body)
