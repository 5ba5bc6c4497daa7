"""A disk that is full, out of inodes, or read-only at each write of a job; the disk is a small tmpfs (needs root)."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from faults.network.transports import ProgramConnection, jobs_at
from faults.oracle import Oracle, gated, started_or_lost
from faults.trial import SURVIVED, Trial, Try, TryOutcome, lost
from remotejobs.errors import StartFailed
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State

PAGE = 4096
AT_ONCE = 6
MOST_LEFT = 8  # pages or inodes: more than a job ever needs
MOMENTS = ("start", "run", "kill")


@contextmanager
def disk(place: Path, options: str) -> Iterator[Path]:
    """A tmpfs of its own at `place`."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill_pages(place: Path, left: int = 0) -> None:
    """Leave so many pages of the disk free."""
    with (place / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * PAGE)
    size = (place / "filler").stat().st_size // PAGE
    os.truncate(place / "filler", max(0, size - left) * PAGE)


def _fill_inodes(place: Path, left: int) -> None:
    made: list[Path] = []
    with contextlib.suppress(OSError):
        while True:
            path = place / f"filler{len(made)}"
            path.touch()
            made.append(path)
    for path in made[:left]:
        path.unlink()


def _free(place: Path) -> None:
    for path in place.glob("filler*"):
        path.unlink()


def full_disk(trial: Trial) -> Iterator[Try]:
    return _full(trial, "size=256k", fill_pages)


def full_inodes(trial: Trial) -> Iterator[Try]:
    return _full(trial, "size=1m,nr_inodes=64", _fill_inodes)


def _full(trial: Trial, options: str, fill: Callable[[Path, int], None]) -> Iterator[Try]:
    """Every moment with every number of pages or inodes that are left, in turn."""
    # Drawn here, one after the other: threads would draw in any order.
    witnesses = [gated(trial.directory, f"job{number}", trial.chance) for number in range(trial.tries)]

    def one(number: int) -> Try:
        left, moment = number // len(MOMENTS) % (MOST_LEFT + 1), MOMENTS[number % len(MOMENTS)]
        with disk(trial.directory / f"disk{number}", options) as place:
            jobs = jobs_at(ProgramConnection(), place / "jobs")
            return _tried(jobs, witnesses[number], moment, lambda: fill(place, left), lambda: _free(place))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(one, range(trial.tries))


@started_or_lost
def _tried(jobs: HostJobs, oracle: Oracle, moment: str, fill: Callable[[], None], free: Callable[[], None]) -> Try:
    if moment == "start":
        fill()
    try:
        jobs.start(oracle.job)
    except StartFailed:
        # Where not even a link can be made, its directory stays, and says so: never run, start it again.
        reported = [f"{record.state} {record.cause} {record.msg}" for record in jobs.list() if record.cause != "never"]
        if oracle.runs or reported:
            return lost(f"{oracle.job.jid} ran {oracle.runs} times though its start failed; reported: {reported}")
        free()
        jobs.start(oracle.job)
    if moment != "start":
        oracle.await_run()
        fill()
    if moment == "kill":
        record = jobs.kill(oracle.job.jid, grace=0)
        if not record.finished:  # a tmpfs wants an inode for a hard link, too: it is reported as running, as it is
            free()
            record = jobs.kill(oracle.job.jid, grace=0)
        return _judged(oracle, record, killed=True)
    oracle.open_gate()
    return _judged(oracle, jobs.record(oracle.job.jid, wait=60))


def _judged(oracle: Oracle, record: Record, *, killed: bool = False) -> Try:
    """The command's own output may be missing, for it could not write either; its end may not, unless that is said."""
    if (ran := oracle.once()) is not SURVIVED:
        return ran
    true = (State.KILLED,) if killed else (oracle.state, oracle.rc)
    reported = (record.state,) if killed else (record.state, record.rc)
    if record.cause == "disk_full" or reported == true:
        return SURVIVED
    return Try(TryOutcome.LOST, f"{oracle.job.jid}: reported {reported} {record.cause} {record.msg!r}; it is {true}")


def read_only_home(trial: Trial) -> Iterator[Try]:
    """A start on a read-only file system says so and runs nothing; made writable again, the same start runs once."""
    for number in range(trial.tries):
        with disk(trial.directory / f"disk{number}", "size=1m") as place:
            oracle = gated(trial.directory, f"job{number}", trial.chance)
            oracle.open_gate()
            jobs = jobs_at(ProgramConnection(), place / "jobs")
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
            try:
                jobs.start(oracle.job)
                yield lost(f"{oracle.job.jid} was said to be started on a read-only disk")
                continue
            except StartFailed as exc:
                clear = "Read-only file system" in exc.message
            subprocess.run(["mount", "-o", "remount,rw", place], check=True)
            jobs.start(oracle.job)
            record = jobs.record(oracle.job.jid, wait=60)
            yield oracle.judge(record) if clear else lost("the error does not say that the disk is read-only")
