"""What a job's files and processes say, past the product: the lab's hosts are all this machine."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from remotejobs.model import Record


def fields_of(place: str | Path, name: str = "job") -> dict[str, str]:
    """One of the files of `key value` lines in a job's directory."""
    lines = Path(place, name).read_text().splitlines()
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


def supervisor_of(record: Record) -> int:
    """The pid of the shell that waits for the command."""
    return int(fields_of(record.results_dir)["supervisor"].split()[0])


def reaper_of(record: Record) -> int:
    """The pid of the process that stands between the supervisor and the command; 0 where there is none."""
    return int(fields_of(record.results_dir)["reaper"].split()[0])


def kill_supervision(record: Record) -> None:
    """Kill both that wait for the command: each alone would report its end in the other's place, or that it is lost."""
    for pid in filter(None, (supervisor_of(record), reaper_of(record))):
        with contextlib.suppress(ProcessLookupError):  # the second, for it misses the first
            os.kill(pid, signal.SIGKILL)


def bearers_of(record: Record) -> list[int]:
    """The pids that carry the job's token in their environment."""
    return bearing(f"REMOTEJOBS_TOKEN={fields_of(record.results_dir)['token']}".encode())


def bearing(words: bytes) -> list[int]:
    """The pids with `words` in their environment, as far as they may be read."""
    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if words in read(process / "environ")]


def read(path: Path) -> bytes:
    """A file of /proc; empty where its process is gone or belongs to another user."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
