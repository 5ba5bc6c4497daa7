"""The history of an episode by what the rules ask of it, and how they show a place of it."""

from __future__ import annotations

from collections.abc import Iterator

from faults.checker.command import CommandRun
from faults.checker.history import EpisodeHistory, Reported
from remotejobs.model import Record

ROUGH = 0.02  # seconds: the clock of the notes has hundredths


class HistoryIndex:
    """The history by what is asked of it."""

    def __init__(self, history: EpisodeHistory) -> None:
        self.history = history
        self.reported = sorted(history.reported, key=lambda reported: reported.answered)

    def base(self, reported: Reported) -> str:
        return self.history.bases[reported.op.host]

    def host(self, reported: Reported) -> str:
        return self.history.names[reported.op.host]

    def records(self) -> Iterator[tuple[Reported, Record]]:
        for reported in self.reported:
            for record in reported.records:
                yield reported, record

    def run_of(self, reported: Reported, record: Record) -> CommandRun | None:
        """The run that the record is of, if its command came so far as to note that it began."""
        return next((run for run in self.runs(reported, record.jid) if run.pid == record.pid), None)

    def runs(self, reported: Reported, jid: str) -> list[CommandRun]:
        """The runs of the job on the hosts that share the base of the one that was asked."""
        return [run for run in self.history.runs if (run.base, run.jid) == (self.base(reported), jid)]

    def cleans(self, base: str, jid: str) -> Iterator[Reported]:
        """The cleans that took the job away, or may have."""
        for reported in self.reported:
            listed = any(record.jid == jid for record in reported.records)
            if reported.op.what == "clean" and self.base(reported) == base and (reported.error or listed):
                yield reported

    def hurt(self, base: str, jid: str, before: float) -> bool:
        """Whether a process that works for the job was killed, or died at a point."""
        return any(
            at < before and one.what == "kill" and one.jid == jid and self.history.bases[one.host] == base
            for at, one in self.history.broken
        ) or any(
            reported.did
            and reported.op.deed
            and reported.op.deed.pause is None
            and reported.op.jid == jid
            and self.base(reported) == base
            for reported in self.reported
        )

    def disk_was_full(self, reported: Reported) -> bool:
        return any(
            one.what == "fill" and self.history.bases[one.host] == self.base(reported) for _, one in self.history.broken
        )


def was_killed(seen: HistoryIndex, reported: Reported, jid: str) -> bool:
    return any(
        other.op.what == "kill"
        and other.op.jid == jid
        and seen.base(other) == seen.base(reported)
        and other.asked < reported.answered
        for other in seen.reported
    )


def asked_first(seen: HistoryIndex, base: str, jid: str) -> float | None:
    return min((reported.asked for reported in starts_of(seen, base, jid)), default=None)


def starts_of(seen: HistoryIndex, base: str, jid: str) -> list[Reported]:
    return [t for t in seen.reported if t.op.what == "start" and t.op.jid == jid and seen.base(t) == base]


def shown(reported: Reported, record: Record) -> str:
    words = " ".join(
        str(word) for word in (record.state, record.cause, record.rc, record.signal) if word not in (None, "")
    )
    return f"{reported.op.what} of {record.jid} (pid {record.pid}), {when(reported)}: {words} {record.msg!r}"


def when(reported: Reported) -> str:
    return f"{reported.asked:.2f} to {reported.answered:.2f}"
