"""What the jobs run, and what they leave behind of it: when they began and ended, where, and whether a process lives.

Each command writes to files of its jid, outside of the job's own directory: `began`, `ended`, and `next` for what it
does after it was to be ended. All of its processes hold a lock on a file of its pid: it is free once the last is gone,
and that is asked of the kernel, not of the product.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from faults.checker.plan import Does, PlannedJob
from remotejobs.model import Job

LIMIT = 1
_ASKING = threading.Lock()  # two threads that ask at once would take each other for the command
# mksh keeps from other programs what was opened by exec.
_COMMAND = """w={place}
read -r here </proc/sys/kernel/hostname
note() {{ read -r at _ </proc/uptime; echo "$$ $here $at $2" >>"$w/{jid}.$1"; }}
{{
flock -s 7
note began {variant}
echo {jid} {variant} $$
{body}
}} 7>>"$w/alive.{jid}.$here.$$"
"""
_BODIES = {
    Does.ENDS: "sleep {lasts}; note ended {rc}; exit {rc}",
    Does.STANDS: "sleep {lasts}; note ended {rc}; exit {rc}",
    Does.STAYS: "setsid sleep 600 & (trap '' TERM; sleep 600) & sleep 600; note next",
    Does.STEPS: "sleep 600; note next; sleep 600; note next",
    Does.LIMITED: "(sleep 600; note next) & sleep 600; note next",
}


@dataclass(frozen=True, slots=True)
class Note:
    """A line that a command left: by which process, on which host, when, and with what word."""

    pid: int
    host: str
    at: float
    word: str


@dataclass(frozen=True, slots=True)
class CommandRun:
    """One run of a command, of a job below `base`; `rc` is what it was about to exit with, `alive` whether a process of
    it is there now."""

    base: str
    jid: str
    pid: int
    host: str
    began: float
    variant: int
    ended: float | None
    rc: int | None
    went_on: bool
    alive: bool


def job_of(planned: PlannedJob, variant: int, place: Path, label: str) -> Job:
    """The job to start; the second variant is another command."""
    words = {"place": quote(str(place)), "jid": planned.jid, "variant": variant}
    words["body"] = _BODIES[planned.does].format(rc=planned.rc, lasts=f"{planned.lasts:.2f}")
    return Job(
        jid=planned.jid,
        cmd=_COMMAND.format(**words),
        label=label,
        grace=0,
        timeout=LIMIT if planned.does is Does.LIMITED else None,
        locks=("lock",) if planned.does is Does.STANDS else (),
    )


def output_of(run: CommandRun) -> bytes:
    return f"{run.jid} {run.variant} {run.pid}\n".encode()


def runs_in(place: Path, base: str, jid: str) -> list[CommandRun]:
    """Every run of the command of a job below `base` that notes in `place`, the first one first."""
    ended = {(note.host, note.pid): note for note in _notes(place / f"{jid}.ended")}
    went_on = {(note.host, note.pid) for note in _notes(place / f"{jid}.next")}
    return [
        CommandRun(
            base=base,
            jid=jid,
            pid=note.pid,
            host=note.host,
            began=note.at,
            variant=int(note.word),
            ended=end.at if (end := ended.get((note.host, note.pid))) else None,
            rc=int(end.word) if end else None,
            went_on=(note.host, note.pid) in went_on,
            alive=_is_held(place / f"alive.{jid}.{note.host}.{note.pid}"),
        )
        for note in sorted(_notes(place / f"{jid}.began"), key=lambda note: note.at)
    ]


def _notes(path: Path) -> Iterator[Note]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        pid, host, at, word, *_ = [*line.split(" "), ""]
        yield Note(int(pid), host, float(at), word)


def _is_held(path: Path) -> bool:
    with _ASKING, path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def now() -> float:
    """The clock of the notes."""
    return float(Path("/proc/uptime").read_text().split()[0])


def holders_of(place: Path) -> list[int]:
    """The pids that hold any of the locks, found the slow way."""
    mark = f"{place}/"
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "fd" / "7").readlink()).startswith(mark):
                found.append(int(process.name))
        except OSError:
            continue
    return found
