"""Prefect servers for tests, which begin with a database that was made once for all processes of a test run.

A server's migrations take longer than all else that it does at its start.
"""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path

from lab import guard
from lab.ports import free_ports
from lab.servers.prefect.server import PrefectServer

_NO_SCHEDULES = {"PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false"}
# They look for runs that are late, or were paused or cancelled long ago, and for workers that are gone: every few
# seconds, which is a quarter of what a server costs while nothing is asked of it.
_NO_SCANS = {
    f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false"
    for name in ("LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN")
}


def prefect_server_in(directory: Path, *, scans: bool = True) -> PrefectServer:
    """Not started yet. Its schedules start nothing: that would cost more than the runs of a test themselves.

    `scans`: it looks for what became of runs and workers, as a server of a user does.
    """
    settings = _NO_SCHEDULES if scans else _NO_SCHEDULES | _NO_SCANS
    return PrefectServer(directory, port=free_ports(1)[0], settings=settings, database=migrated_database())


def migrated_database() -> Path:
    """SQLite's file, to be copied."""
    path = guard.start() / "migrated.db"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _make(path)
    return path


def _make(path: Path) -> None:
    made = path.with_suffix(".part")
    with PrefectServer(path.with_suffix(".server"), port=free_ports(1)[0]) as server:
        server.await_ready()
    # What the server wrote last may still be beside the file itself.
    with closing(sqlite3.connect(server.database)) as database, closing(sqlite3.connect(made)) as copy:
        database.backup(copy)
    made.rename(path)
