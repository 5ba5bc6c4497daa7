"""Hosts that are only a shell, and checks of what is on them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.host.points import resized
from faults.host.processes import end_unfinished
from lab import guard
from lab.job_files import read
from remotejobs.connections.base import Question, Reply
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from tests.awaiting import await_true

SHELLS = ("dash", "busybox", "bash", "mksh", "yash")

# On top of a test with the fixture `jobs`: the reasons are in conftest.py.
in_every_shell = pytest.mark.parametrize("jobs", SHELLS, indirect=True)


class ShellConnection:
    """A host that is only a shell: `sh` in PATH is the shell under test, as it would be on such a host."""

    def __init__(
        self,
        path: str,
        home: Path,
        *,
        proc: str = "/proc",
        user: int | None = None,
        before: tuple[str, ...] = (),
    ) -> None:
        self.host = "here"
        self.adopts = True  # whether perl or Python is there for a reaper
        self.before = before  # words of a command that becomes the shell
        self.user = user
        self.awk = b"awk"
        self.proc = proc.encode()
        self.change: Callable[[bytes], bytes] = lambda script: script  # what is sent next
        self.env = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **guard.mark()}

    def ask(self, question: Question) -> Reply:
        script = self.change(question.script)
        if not self.adopts:
            script = script.replace(b"\nrj_tool\n", b"\ntool=\n")
        script = script.replace(b"rj_proc=/proc", b"rj_proc=" + self.proc).replace(b"awk -v", self.awk + b" -v")
        script = resized(script)
        done = subprocess.run(
            [*self.before, "sh", "-s"],
            input=script,
            capture_output=True,
            timeout=question.timeout,
            env=self.env,
            cwd=self.env["HOME"],
            check=False,
            user=self.user,
        )
        return Reply(done.stdout, done.stderr, question.end in done.stdout)

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
    yield HostJobs(ShellConnection(path, home, proc=proc), directory=f"{home}/jobs")
    end_unfinished(home / "jobs")


def own_memory(pid: int) -> int:
    """KiB of its share of memory, but for mapped files: what these count depends on how many others map them."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss_Anon:"))


def ended(jobs: HostJobs, jid: str) -> Record:
    """The record once the job has ended; waits on the host, at most a minute once its turn has come."""
    record = jobs.record(jid)
    while (before := record.state) is State.QUEUED or record.state is State.RUNNING:
        record = jobs.record(jid, wait=60)
        if before is State.RUNNING:
            break
    assert record.finished, record
    return record


def await_output(jobs: HostJobs, jid: str) -> bytes:
    """The first output of a running job."""
    await_true(lambda: bool(jobs.record(jid).stdout))
    return jobs.record(jid).stdout


def await_dead(pid: int) -> None:
    """Return once the process is gone, or only waits for its parent to take note."""
    await_true(lambda: read(Path(f"/proc/{pid}/stat")).rpartition(b") ")[2][:1] in (b"", b"Z"))


def await_none(record: Record) -> None:
    """Return once no process has the job's directory in its arguments."""
    mark = record.results_dir.encode()
    await_true(lambda: not any(mark in read(process / "cmdline") for process in Path("/proc").glob("[0-9]*")))


STUBBORN = """trap '' TERM INT HUP
echo before
(trap '' TERM; sleep 600) &
setsid sh -c 'trap "" TERM; sleep 600' &
sleep 600
sleep 600"""
