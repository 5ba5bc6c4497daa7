"""A job that leaves a line behind wherever it runs, so that "once" can be counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from random import Random
from shlex import quote
from typing import ParamSpec

from faults.trial import SURVIVED, Try, TryOutcome, lost
from remotejobs.model import Job, Record, State

STARTS_WITHIN = 60.0  # seconds; any host here takes a fraction of one


class NeverRan(Exception):
    """A command that was started did not begin: the job is lost."""


_P = ParamSpec("_P")


def started_or_lost(attempt: Callable[_P, Try]) -> Callable[_P, Try]:
    """A try in which `Oracle.await_run` raises is a lost one."""

    @wraps(attempt)
    def tried(*args: _P.args, **kwargs: _P.kwargs) -> Try:
        try:
            return attempt(*args, **kwargs)
        except NeverRan as exc:
            return lost(str(exc))

    return tried


@dataclass(frozen=True, slots=True)
class Oracle:
    """`job`, the file that gets a line each time its command runs, and how it has to end where nothing goes wrong."""

    job: Job
    ran: Path
    state: State
    rc: int | None
    stdout: bytes
    gate: Path | None = None

    @property
    def runs(self) -> int:
        return len(self.ran.read_bytes().splitlines()) if self.ran.exists() else 0

    def await_run(self, within: float = STARTS_WITHIN) -> None:
        """Wait until the command has started. Raises `NeverRan` after `within` seconds."""
        deadline = time.monotonic() + within
        while not self.runs:
            if time.monotonic() > deadline:
                raise NeverRan(f"{self.job.jid} did not begin within {within:g} s")
            time.sleep(0.005)

    def judge(self, record: Record) -> Try:
        """Whether the command ran once and `record` says exactly how it ended."""
        if (ran := self.once()) is not SURVIVED:
            return ran
        reported = (record.state, record.rc if self.rc is not None else None, record.stdout)
        true = (self.state, self.rc, self.stdout)
        return SURVIVED if reported == true else lost(f"{self.job.jid}: {reported}, {record.msg!r}; it is {true}")

    def open_gate(self) -> None:
        """Let a `gated` job go on to its end."""
        if self.gate:
            self.gate.touch()

    def once(self) -> Try:
        """Whether the command ran once."""
        if self.runs > 1:
            return Try(TryOutcome.DOUBLE, f"{self.job.jid} ran {self.runs} times")
        return SURVIVED if self.runs else lost(f"{self.job.jid} never ran")


def short(place: Path, jid: str, chance: Random, *, longest: float = 0.3, timeout: int | None = 600) -> Oracle:
    """A job of a moment with output of its own, and any exit code."""
    ran, rc = place / f"{jid}.ran", chance.choice([0, 0, 3, 255])
    words = f"{jid} {chance.randrange(10**9)}"
    cmd = f"echo ran >>{quote(str(ran))}; sleep {chance.uniform(0, longest):.2f}; echo {words}; exit {rc}"
    job = Job(jid=jid, cmd=cmd, timeout=timeout)
    return Oracle(job, ran, State.FAILED if rc else State.SUCCEEDED, rc, f"{words}\n".encode())


def gated(place: Path, jid: str, chance: Random) -> Oracle:
    """A job that ends by itself once its gate is open."""
    brief, gate = short(place, jid, chance, longest=0.0), place / f"{jid}.go"
    cmd = brief.job.cmd.replace("sleep 0.00;", f"until [ -e {quote(str(gate))} ]; do sleep 0.05; done;")
    return replace(brief, job=replace(brief.job, cmd=cmd), gate=gate)


def stubborn(place: Path, jid: str, *, grace: int = 0, timeout: int | None = 600) -> Oracle:
    """A job that ends only when it is ended, with a child that leaves its session."""
    ran = place / f"{jid}.ran"
    # What it writes first, so that its output is there once it is known to run.
    cmd = f"echo started; echo ran >>{quote(str(ran))}; setsid sleep 600 & sleep 600"
    return Oracle(Job(jid=jid, cmd=cmd, timeout=timeout, grace=grace), ran, State.KILLED, None, b"started\n")
