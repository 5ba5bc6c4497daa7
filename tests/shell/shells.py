"""Hosts that are only a shell, and looks at what is on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from remotejobs.connection import Become, Reply
from remotejobs.jobs import HostJobs
from remotejobs.model import Record, State

SHELLS = ("dash", "busybox", "bash", "mksh", "yash")


class ShellConnection:
    """A host that is only a shell: `sh` in PATH is the shell under test, as it would be on such a host."""

    def __init__(self, path: str, home: Path, *, proc: str = "/proc", user: int | None = None) -> None:
        self.host = "here"
        self.user = user
        self.awk = b"awk"
        self.proc = proc.encode()
        self.env = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8"}

    def ask(self, script: bytes, *, end: bytes, become: Become | None, timeout: float, max_bytes: int) -> Reply:
        script = script.replace(b"rj_proc=/proc", b"rj_proc=" + self.proc).replace(b" awk -v", b" " + self.awk + b" -v")
        done = subprocess.run(
            ["sh", "-s"],
            input=script,
            capture_output=True,
            timeout=timeout,
            env=self.env,
            cwd=self.env["HOME"],
            check=False,
            user=self.user,
        )
        return Reply(done.stdout, done.stderr, end in done.stdout)

    def close(self) -> None:
        """Nothing is kept open."""


def shell_path(directory: Path, shell: str) -> str:
    """A PATH in which `sh` is that shell; a shell called `sh` is in its POSIX mode."""
    directory.mkdir(parents=True, exist_ok=True)
    program = shutil.which(shell)
    assert program, f"{shell} is not installed: run make setup"
    (directory / "sh").symlink_to(program)
    return f"{directory}:{os.environ['PATH']}"


def host_jobs(tmp_path: Path, path: str, *, proc: str = "/proc") -> Iterator[HostJobs]:
    home = tmp_path / "home with 'quotes'"
    home.mkdir()
    here = HostJobs(ShellConnection(path, home, proc=proc), directory=f"{home}/jobs")
    yield here
    for record in here.list():
        if record.state is State.RUNNING or record.cause == "gone":
            here.kill(record.jid, grace=0)


def ended(jobs: HostJobs, jid: str) -> Record:
    """The record once the job has ended; waits on the host, at most a minute."""
    record = jobs.look(jid, wait=60)
    assert record.finished, record
    return record


def fields(record: Record, name: str = "job") -> dict[str, str]:
    """One of the record's files on the host."""
    lines = (Path(record.results_dir) / name).read_text().splitlines()
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


def supervisor(record: Record) -> int:
    return int(fields(record)["supervisor"].split()[0])


def bearers(record: Record) -> list[int]:
    """The pids that carry the job's token in their environment, by a look of our own."""
    token = b"REMOTEJOBS_TOKEN=" + fields(record)["token"].encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and token in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def await_output(jobs: HostJobs, jid: str) -> bytes:
    """The first output of a running job."""
    while not (output := jobs.look(jid).stdout):
        os.sched_yield()
    return output


def await_dead(pid: int) -> None:
    """Return once the process is gone, or only waits for its parent to take note."""
    stat = Path(f"/proc/{pid}/stat")
    while (words := _read(stat).rpartition(b") ")[2].split()) and words[0] != b"Z":
        os.sched_yield()


def await_none(record: Record) -> None:
    """Return once no process has the job's directory in its arguments; fail after half a minute."""
    mark, deadline = record.results_dir.encode(), time.monotonic() + 30
    while left := [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(path)]:
        assert time.monotonic() < deadline, left
        os.sched_yield()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
