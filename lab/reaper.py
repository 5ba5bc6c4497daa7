"""usage: reaper.py DIRECTORY PID: waits for the end of a run, and then ends and undoes what is left of it (guard.py).

The run ends when PID does or closes our stdin. What is left of it: each process that carries the run's mark in its
environment, descends from one that does, belongs to one of the run's users, or was started from one of its places; then
what is mounted there; the control groups, users and files of the ledger; at last DIRECTORY. Needs only Python itself.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "REMOTEJOBS_LAB_RUN"
GRACE = 5.0  # seconds from TERM to KILL, for those that have something to put in order
LOOKS = 100
_MOUNTS = Path("/proc/self/mountinfo")
USERS_LOCK = Path("/run/lock/remotejobs-lab-users")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    has_terminal: bool


class LabRun:
    """What is known of the run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mark = f"{MARK}={directory}".encode()
        self._entries: list[tuple[str, str]] = []
        for line in (directory / "ledger").read_text().splitlines():
            sign, kind, name = line.split(" ", 2)
            if sign == "+":
                self._entries.append((kind, name))
            elif (kind, name) in self._entries:
                self._entries.remove((kind, name))

    def entries(self, kind: str) -> list[str]:
        return [name for each, name in self._entries if each == kind]

    @property
    def places(self) -> list[str]:
        return [str(self._directory), *self.entries("place")]

    def processes(self) -> set[int]:
        """Those of the run that live."""
        found = {process.pid: process for process in _all_processes()}
        uids = set(map(_uid_of, self.entries("user"))) - {None}
        ours = {pid for pid, process in found.items() if self._is_ours(process, uids)}
        while more := {pid for pid, process in found.items() if process.parent in ours} - ours:
            ours |= more
        return ours - {os.getpid()}

    def _is_ours(self, process: Process, uids: set[int | None]) -> bool:
        proc = Path(f"/proc/{process.pid}")
        with suppress(OSError):
            if proc.stat().st_uid in uids or self._mark in (proc / "environ").read_bytes().split(b"\0"):
                return True
            if process.has_terminal:
                return False  # another process reads what lies there
            words = (proc / "cmdline").read_bytes().decode(errors="replace")
            at = f"{(proc / 'cwd').readlink()}/"
            return any(at.startswith(f"{place}/") or f"{place}/" in words for place in self.places)
        return False


def _all_processes() -> list[Process]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (process / "stat").read_text(errors="replace").rpartition(") ")[2].split()
            if fields[0] not in "ZX":
                found.append(Process(int(process.name), int(fields[1]), fields[4] != "0"))
    return found


def _uid_of(user: str) -> int | None:
    for line in Path("/etc/passwd").read_text().splitlines():
        name, _, uid, *_ = line.split(":")
        if name == user:
            return int(uid)
    return None


def end_processes(run: LabRun) -> None:
    """First asked to end, then killed, until a scan finds no process."""
    deadline = time.monotonic() + GRACE
    asked: set[int] = set()
    while (ours := run.processes()) and time.monotonic() < deadline:
        _signal(ours - asked, signal.SIGTERM)
        _signal(ours - asked, signal.SIGCONT)
        asked |= ours
        time.sleep(0.05)
    for _ in range(LOOKS):
        if not (ours := run.processes()):
            return
        _signal(ours, signal.SIGKILL)
        time.sleep(0.05)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def undo(run: LabRun) -> None:
    for place in run.places:
        unmount_under(place)
    for group in run.entries("cgroup"):
        with suppress(OSError):
            Path(group).rmdir()
    for user in run.entries("user"):
        # useradd and userdel do not wait for each other: they fail.
        words = ["flock", str(USERS_LOCK), "userdel", "--force", "--remove", user]
        subprocess.run(words, check=False, stderr=subprocess.DEVNULL)
    for file in run.entries("file"):
        with suppress(OSError):
            Path(file).unlink()


def unmount_under(place: str) -> None:
    """The last that was mounted first, for it may stand on those before. Raises `CalledProcessError`."""
    mounts = [line.split()[4].encode().decode("unicode_escape") for line in _MOUNTS.read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(f"{place}/"):
            subprocess.run(["umount", "-l", mount], check=True)


def main(directory: Path, pid: int) -> None:
    os.chdir("/")
    with suppress(ProcessLookupError):
        if os.getppid() == pid:  # else it has ended before the check
            select.select([sys.stdin, os.pidfd_open(pid)], [], [])
    run = LabRun(directory)
    end_processes(run)
    undo(run)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main(Path(sys.argv[1]), int(sys.argv[2]))
