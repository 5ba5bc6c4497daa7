"""The process of a run outlives its worker, which reads what it prints.

Prefect prints log lines with rich, which ends a program whose output nobody reads any more: the run crashed with its
next line.
"""

from __future__ import annotations

import os

from rich.console import Console

_STDOUT, _STDERR = 1, 2


def outlive_worker() -> None:
    """From now on what this process prints goes nowhere once its worker is gone, and it goes on."""
    setattr(Console, Console.on_broken_pipe.__name__, _print_no_more)


def _print_no_more(_: Console) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (_STDOUT, _STDERR):
        os.dup2(nowhere, stream)
    os.close(nowhere)
