"""Nothing of a lab is left behind, however its process ends: one process beside it, the reaper, ensures that.

`start` marks the environment, which distinguishes all that this process starts from everything else on the machine, and
starts the reaper (reaper.py). What carries no mark, such as a user, is entered in the run's ledger as long
as it is there.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Literal

RUN_VARIABLE = "REMOTEJOBS_LAB_RUN"  # the mark; its value is the run's directory, which no other run has
_LEDGER = "ledger"
_REAPER = Path(__file__).with_name("reaper.py")
_ENDS_WITHIN = 60.0

Kind = Literal["user", "file", "cgroup", "place"]


def start() -> Path:
    """Guard all that this process starts from now on; returns a directory, also of temporary files, that ends with it.

    Processes that it starts in turn, workers of a test run for example, are under the same guard: to them this does
    nothing. SIGTERM is made to be what Ctrl-C is, for both are to end things in order.
    """
    if RUN_VARIABLE in os.environ:
        return Path(os.environ[RUN_VARIABLE])
    # Other users of the lab have files in it, and the user's own temporary directory may be closed to them.
    directory = Path(tempfile.mkdtemp(prefix="remotejobs-", dir="/tmp"))
    directory.chmod(0o711)
    (directory / _LEDGER).touch(0o600)
    # Where pytest keeps what its last runs wrote is to be read afterwards.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    reaper = subprocess.Popen(
        [sys.executable, "-ESs", str(_REAPER), str(directory), str(os.getpid())],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    os.environ[RUN_VARIABLE] = str(directory)
    os.environ["TMPDIR"] = tempfile.tempdir = str(directory)
    signal.signal(signal.SIGTERM, _interrupt)
    atexit.register(_end, reaper, os.getpid())
    return directory


def mark() -> dict[str, str]:
    """What an environment made from nothing needs, so that every process with it is found; empty without a guard."""
    return {RUN_VARIABLE: os.environ[RUN_VARIABLE]} if RUN_VARIABLE in os.environ else {}


@contextmanager
def entered(kind: Kind, name: object) -> Iterator[None]:
    """`enter`, and `leave` at the end."""
    enter(kind, name)
    try:
        yield
    finally:
        leave(kind, name)


def enter(kind: Kind, name: object) -> None:
    """Until `leave`, `name` is removed should the run end: a user, a file, or a control group.

    A `place` stays; but what runs there is ended, and what is mounted there is unmounted.
    """
    _write(kind, name, "+")


def leave(kind: Kind, name: object) -> None:
    """It is gone."""
    _write(kind, name, "-")


def _write(kind: Kind, name: object, sign: str) -> None:
    if RUN_VARIABLE in os.environ:
        # Appended in one piece, so that workers can write to it side by side.
        with (Path(os.environ[RUN_VARIABLE]) / _LEDGER).open("a") as ledger:
            ledger.write(f"{sign} {kind} {name}\n")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(reaper: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner:  # not in a process that was forked from it
        reaper.communicate(timeout=_ENDS_WITHIN)
