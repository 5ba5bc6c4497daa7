"""A host that is a pid namespace of this machine: its pids are few, and the next one can be chosen (needs root)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.network.transports import ProgramConnection, jobs_at
from faults.oracle import Oracle, started_or_lost, stubborn
from faults.trial import Trial, Try, lost
from lab.job_files import bearers_of, fields_of
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State

ATTEMPTS = 50


class Namespace:
    """`front` is what a program stands behind to run in it; its /proc shows its own processes only."""

    def __init__(self, first: int) -> None:
        self.front = ("nsenter", f"--target={first}", "--pid", "--mount", "--uts", "--")

    def run(self, script: str) -> str:
        words = [*self.front, "sh", "-c", script]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def take(self, pid: int) -> None:
        """Give `pid` to a stranger that leads a session of its own."""
        for _ in range(ATTEMPTS):
            last = "/proc/sys/kernel/ns_last_pid"
            taken = self.run(f"echo {pid - 1} >{last}; setsid sleep 600 >/dev/null 2>&1 & echo $!")
            if int(taken) == pid:
                return
            self.run(f"kill -KILL {taken}")  # another process came first, for a moment
        raise RuntimeError(f"pid {pid} could not be given to the stranger")

    def holds_stranger(self, pid: int) -> bool:
        return self.run(f"tr '\\0' ' ' </proc/{pid}/cmdline 2>/dev/null || :") == "sleep 600"


@contextmanager
def namespace(prepare: str = ":") -> Iterator[Namespace]:
    """A pid namespace in which the shell command `prepare` was run first; its name and its mounts are its own too."""
    # A shell as the first process there, because it buries its dead: a pid is not free before that.
    first = f"{prepare}; echo in; while :; do sleep 600; done"
    words = ["unshare", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child", "sh", "-c", first]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as outside:
        assert outside.stdout
        outside.stdout.readline()
        children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text()
        try:
            yield Namespace(int(children))
        finally:
            outside.kill()


def pid_reused(trial: Trial) -> Iterator[Try]:
    """The supervisor's or the command's pid belongs to another process: it is not taken for the job, nor ended."""
    with namespace() as space:
        jobs = jobs_at(ProgramConnection(*space.front), trial.directory / "jobs")
        for number in range(trial.tries):
            yield _reused(space, jobs, stubborn(trial.directory, f"job{number}"), of_command=number % 2 == 1)


@started_or_lost
def _reused(space: Namespace, jobs: HostJobs, oracle: Oracle, *, of_command: bool) -> Try:
    record = jobs.start(oracle.job)
    oracle.await_run()
    fields = fields_of(record.results_dir)
    supervisor, reaper, command = (int(fields[name].split()[0]) for name in ("supervisor", "reaper", "command"))
    pid = command if of_command else supervisor
    # The whole group of the command: as long as one is left in it, its number is not given away.
    dead = f"[ ! -e /proc/{supervisor} ] && [ ! -e /proc/{command} ]"
    space.run(f"kill -KILL {supervisor} {reaper} -{command}; until {dead}; do sleep 0.02; done")
    space.take(pid)
    seen, killed = jobs.record(record.jid), jobs.kill(record.jid, grace=0)
    if not space.holds_stranger(pid):
        return lost(f"{record.jid}: the stranger who has pid {pid} by now was killed")
    space.run(f"kill -KILL {pid}")
    return _truly(oracle, seen, killed)


def _truly(oracle: Oracle, seen: Record, killed: Record) -> Try:
    if (seen.state, seen.cause) != (State.LOST, "gone") or "runs no more" not in seen.msg:
        return lost(f"{seen.jid}: reported {seen.state} {seen.cause} {seen.msg!r}; its supervisor and command are gone")
    # Its child that left the session still carries the token: that one the kill finds, if it had come so far.
    if left := bearers_of(seen):
        return lost(f"{seen.jid}: the kill reported {killed.state} {killed.msg!r}, but {left} run on")
    return oracle.once()
