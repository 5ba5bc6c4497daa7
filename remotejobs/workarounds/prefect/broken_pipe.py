"""The process of a run outlives its worker, which reads what it prints.

Seen with Prefect 3.9.1 on rich 15.0.0. Prefect prints log lines through a `rich.console.Console` of its own, and rich
ends a program whose output is not read any more: the run crashed with its next line.

Upstream: rich exits since https://github.com/Textualize/rich/pull/3468, and lets a subclass of Console decide
otherwise. The public way would be that Prefect does, or lets its handler be given a Console.
"""

from __future__ import annotations

import os

from rich.console import Console

from remotejobs.workarounds.private import require

_STDOUT, _STDERR = 1, 2
_HOOK = "on_broken_pipe"


def survive_broken_pipe() -> None:
    """From now on what this process prints is dropped once its reader is gone, and it goes on.

    Raises `PrivatePartGone`.
    """
    require("rich", Console, _HOOK)
    setattr(Console, _HOOK, _discard_output)


def _discard_output(_: Console) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (_STDOUT, _STDERR):
        os.dup2(nowhere, stream)
    os.close(nowhere)
