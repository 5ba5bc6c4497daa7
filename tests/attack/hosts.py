"""Hosts that lie: sshd runs a program of ours instead of the shell, whatever it is asked to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.sshd import SshLab

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
    """A host `evil` whose sshd runs `command` for whoever logs in."""
    with SshLab(directory, ["evil"], extra_config=[f"ForceCommand {command}"]) as lab:
        yield lab


@contextmanager
def lying(directory: Path, body: bytes) -> Iterator[SshLab]:
    """A host `evil` that answers every question with `body`, in a perfect frame."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "body").write_bytes(body)
    (directory / "liar.py").write_text(LIAR.format(body=str(directory / "body")))
    with forced(directory / "lab", f"{sys.executable} {directory}/liar.py") as lab:
        yield lab
