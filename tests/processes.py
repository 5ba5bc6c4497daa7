"""Which processes run on this machine: those of a flow run, and whether one does."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from uuid import UUID


def processes(run: UUID) -> list[int]:
    """The pids that carry the run in their environment."""
    mark, found = f"PREFECT__FLOW_RUN_ID={run}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def running(pid: int) -> bool:
    """Whether `pid` runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
