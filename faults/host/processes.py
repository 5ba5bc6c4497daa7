"""What of the jobs below a directory still runs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from lab.job_files import bearing

SETTLED_WITHIN = 20.0


def left_under(directory: Path) -> list[int]:
    """The pids of jobs below `directory` and of what supervises them, once that had time to go; [] when none is left.

    A job carries its directory in the environment, and its supervisor works in it.
    """
    deadline = time.monotonic() + SETTLED_WITHIN
    while (left := _under(directory)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def end_under(directory: Path) -> None:
    """Kill what jobs below `directory` left running: a fault that was lost leaves its job behind.

    A process may start another during the scan, so the scan is repeated until it finds none.
    """
    deadline = time.monotonic() + SETTLED_WITHIN
    while (left := _under(directory)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def end_unfinished(base: Path) -> None:
    """Kill what jobs of the directory `base` still run, if any: to check whether there are is much cheaper."""
    if any(not events.with_name("result").exists() for events in base.glob("*/events")):
        end_under(base)


def _under(directory: Path) -> list[int]:
    bearers = bearing(f"REMOTEJOBS_DIR={directory}/".encode())
    working = [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if (place := _read_link(entry / "cwd")) is not None and place.is_relative_to(directory)
    ]
    return sorted({*bearers, *working})


def _read_link(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:
        return None
