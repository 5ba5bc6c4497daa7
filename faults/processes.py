"""What of a job still runs, by a look of our own at this machine: it is controller and host in one."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from remotejobs.model import Record

SETTLED_WITHIN = 20.0


def field_of(record: Record, key: str) -> str:
    """One line of the job's gate, as it stands on the host."""
    lines = (Path(record.results_dir) / "job").read_text().splitlines()
    return next(line.partition(" ")[2] for line in lines if line.startswith(f"{key} "))


def supervisor_of(record: Record) -> int:
    return int(field_of(record, "supervisor").split()[0])


def left_of(record: Record) -> list[int]:
    """The pids that carry the job's token in their environment."""
    return _holding("environ", f"REMOTEJOBS_TOKEN={field_of(record, 'token')}".encode())


def left_under(directory: Path) -> list[int]:
    """The pids of jobs below `directory` and of what supervises them, once that had time to go; [] when none is left.

    A job carries its directory in the environment, and its supervisor works in it.
    """
    deadline = time.monotonic() + SETTLED_WITHIN
    while (left := _under(directory)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def end_under(directory: Path) -> None:
    """Kill what jobs below `directory` left running: a fault that was lost leaves its job behind."""
    for pid in _under(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _under(directory: Path) -> list[int]:
    bearers = _holding("environ", f"REMOTEJOBS_DIR={directory}/".encode())
    working = [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if (place := _read_link(entry / "cwd")) is not None and place.is_relative_to(directory)
    ]
    return sorted({*bearers, *working})


def _holding(name: str, words: bytes) -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if words in _read(entry / name)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _read_link(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:
        return None
