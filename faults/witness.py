"""A job that leaves a line behind wherever it runs, so that "once" can be counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from shlex import quote

from faults.trial import SURVIVED, Try, Verdict, lost
from remotejobs.model import Job, Record, State


@dataclass(frozen=True, slots=True)
class Witness:
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

    def judge(self, record: Record) -> Try:
        """Whether the command ran once and `record` says exactly how it ended."""
        if self.runs > 1:
            return self.twice()
        if self.runs == 0:
            return lost(f"{self.job.jid} never ran; it is {record.state} ({record.msg})")
        told = (record.state, record.rc if self.rc is not None else None, record.stdout)
        true = (self.state, self.rc, self.stdout)
        return SURVIVED if told == true else lost(f"{self.job.jid}: told {told}, {record.msg!r}; it is {true}")

    def open_gate(self) -> None:
        """Let a `gated` job go on to its end."""
        if self.gate:
            self.gate.touch()

    def twice(self) -> Try:
        return Try(Verdict.DOUBLE, f"{self.job.jid} ran {self.runs} times")


def short(place: Path, jid: str, chance: Random, *, longest: float = 0.3, limit: int | None = 600) -> Witness:
    """A job of a moment with output of its own, and any exit code."""
    ran, rc = place / f"{jid}.ran", chance.choice([0, 0, 3, 255])
    words = f"{jid} {chance.randrange(10**9)}"
    cmd = f"echo ran >>{quote(str(ran))}; sleep {chance.uniform(0, longest):.2f}; echo {words}; exit {rc}"
    job = Job(jid=jid, cmd=cmd, limit=limit)
    return Witness(job, ran, State.FAILED if rc else State.SUCCEEDED, rc, f"{words}\n".encode())


def gated(place: Path, jid: str, chance: Random) -> Witness:
    """A job that ends by itself once its gate is open."""
    brief, gate = short(place, jid, chance, longest=0.0), place / f"{jid}.go"
    cmd = brief.job.cmd.replace("sleep 0.00;", f"until [ -e {quote(str(gate))} ]; do sleep 0.05; done;")
    return replace(brief, job=replace(brief.job, cmd=cmd), gate=gate)


def stubborn(place: Path, jid: str, *, grace: int = 0, limit: int | None = 600) -> Witness:
    """A job that ends only when it is ended, with a child that leaves its session."""
    ran = place / f"{jid}.ran"
    cmd = f"echo ran >>{quote(str(ran))}; echo begun; setsid sleep 600 & sleep 600"
    return Witness(Job(jid=jid, cmd=cmd, limit=limit, grace=grace), ran, State.KILLED, None, b"begun\n")
