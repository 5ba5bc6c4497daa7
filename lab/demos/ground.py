"""What every lab stands on: a directory that it has for itself, and an end that stops everything."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lab import guard
from lab.process import LabError
from lab.servers.prefect.server import PROJECT

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DIRECTORY_VARIABLE = "REMOTEJOBS_LAB_DIR"


@contextmanager
def lab_directory() -> Iterator[Path]:
    """The lab's directory, held so that a second lab does not write into it."""
    directory = Path(os.environ.get(_DIRECTORY_VARIABLE) or PROJECT / ".lab").resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                f"another lab is running in {directory}. End it, or set {_DIRECTORY_VARIABLE} to another directory."
            ) from None
        yield directory


@contextmanager
def signals_unwind() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does, so that everything is stopped then too; SIGKILL is the guard's."""
    guard.start()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """A second Ctrl-C must not leave half of the lab running."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
