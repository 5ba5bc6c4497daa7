"""Whether all that was told was true: the history against what the commands left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from faults.checker.command import LIMIT, CommandRun, output_of
from faults.checker.history import EpisodeHistory, Reported
from faults.checker.plan import Does
from remotejobs.errors import (
    JobExists,
    JobNotFound,
    OtherHost,
    ProtocolError,
    StartFailed,
    TimedOut,
    Unreachable,
)
from remotejobs.model import Record, State

ROUGH = 0.02  # seconds: the clock of the notes has hundredths


@dataclass(frozen=True, slots=True)
class Violation:
    """`rule` in one word, and what was seen."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def violations(history: EpisodeHistory) -> list[Violation]:
    """Everything that was not as it must be; [] when nothing was."""
    return [
        found
        for rule, look in RULES.items()
        for found in (Violation(rule, what) for what in look(_HistoryIndex(history)))
    ]


class _HistoryIndex:
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
        """Whether anybody who works for the job was killed, or died at a point."""
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


def _at_most_once(seen: _HistoryIndex) -> Iterator[str]:
    for base, jid in _places(seen):
        runs = [run for run in seen.history.runs if run.jid == jid and run.base == base]
        for first, second in pairwise(runs):
            between = (c for c in seen.cleans(base, jid) if c.asked < second.began and c.answered > first.began)
            if not any(between):
                yield f"{jid} was run at {first.began} as {first.pid}, and again at {second.began} as {second.pid}"


def _places(seen: _HistoryIndex) -> list[tuple[str, str]]:
    return sorted({(base, job.jid) for base in seen.history.bases for job in seen.history.plan.jobs})


def _ends_are_true(seen: _HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        if record.state not in (State.SUCCEEDED, State.FAILED):
            continue
        run = seen.run_of(reported, record)
        if (
            record.signal
            or (record.rc or 0) > 128
            or (run is None and seen.hurt(seen.base(reported), record.jid, reported.answered))
        ):
            if not seen.hurt(seen.base(reported), record.jid, reported.answered) and not _was_killed(
                seen, reported, record.jid
            ):
                yield f"{_of(reported, record)}, and nobody killed it"
        elif run is None or run.ended is None or run.ended > reported.answered + ROUGH or run.rc != record.rc:
            yield f"{_of(reported, record)}, but {run} "
        elif record.state is not (State.FAILED if run.rc else State.SUCCEEDED):
            yield f"{_of(reported, record)}, but {run}"


def _was_killed(seen: _HistoryIndex, reported: Reported, jid: str) -> bool:
    return any(
        other.op.what == "kill"
        and other.op.jid == jid
        and seen.base(other) == seen.base(reported)
        and other.asked < reported.answered
        for other in seen.reported
    )


def _output_is_whole(seen: _HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        run = seen.run_of(reported, record)
        if not run or seen.disk_was_full(reported) or not (reported.op.what in ("look", "kill") or record.attached):
            continue
        whole = record.state in (State.SUCCEEDED, State.FAILED) and record.rc == run.rc
        if record.stdout != output_of(run) and (whole or record.stdout):
            yield f"{_of(reported, record)} with {record.stdout!r}"


def _kills_and_limits_are_true(seen: _HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        if record.state is State.KILLED and not _was_killed(seen, reported, record.jid):
            yield f"{_of(reported, record)}, and nobody asked for that"
        if record.state is State.TIMED_OUT:
            does, began = seen.history.plan.job(record.jid).does, _asked_first(seen, seen.base(reported), record.jid)
            if does is not Does.LIMITED or began is None or reported.answered - began < LIMIT - ROUGH:
                yield f"{_of(reported, record)}, after less than its limit"
        if record.state is State.STALLED or record.cause == "rebooted":
            yield _of(reported, record)


def _proven_means_nobody_lives(seen: _HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        run = seen.run_of(reported, record)
        if run and "proven empty" in record.msg and (run.host, run.pid) in reported.alive:
            yield f"{_of(reported, record)}, and a process of it lives"


def _no_next_command(seen: _HistoryIndex) -> Iterator[str]:
    hurt = {one.jid for _, one in seen.history.broken if one.what == "kill"}
    for run in seen.history.runs:
        if run.went_on and run.jid not in hurt:
            yield f"{run.jid} went on to its next command when it was ended"


def _lost_is_true(seen: _HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        if record.state is not State.LOST:
            continue
        base = seen.base(reported)
        if record.cause == "gone" and not seen.hurt(base, record.jid, reported.answered):
            yield f"{_of(reported, record)}, and nobody killed anything of it"
        if record.cause == "damaged" and not (
            seen.hurt(base, record.jid, reported.answered) or seen.disk_was_full(reported)
        ):
            yield f"{_of(reported, record)}, and nobody damaged it"
        if record.cause == "disk_full" and not seen.disk_was_full(reported):
            yield f"{_of(reported, record)}, and no disk was full"
        if record.cause == "never":
            yield from _never_ran(seen, reported, record)


def _never_ran(seen: _HistoryIndex, reported: Reported, record: Record) -> Iterator[str]:
    base = seen.base(reported)
    for run in seen.runs(reported, record.jid):
        gone = any(
            clean.asked < reported.answered and clean.answered > run.began for clean in seen.cleans(base, record.jid)
        )
        if run.began < reported.asked - ROUGH and not gone:
            yield f"{_of(reported, record)}, but it began at {run.began} as {run.pid}"


def _there_is_what_is_there(seen: _HistoryIndex) -> Iterator[str]:
    """What was told to be there, and was not taken away since, is there."""
    for reported in seen.reported:
        missing = _missing(seen, reported)
        for jid in missing:
            if (before := _told_before(seen, reported, jid)) and not _may_be_gone(seen, reported, jid, before):
                yield f"{reported.op.what} of {jid}, {_when(reported)}: not there, but it was at {before.answered:.2f}"


def _missing(seen: _HistoryIndex, reported: Reported) -> Iterable[str]:
    if isinstance(reported.error, JobNotFound) and reported.op.jid:
        return [reported.op.jid]
    if reported.op.what != "list" or reported.error:
        return []
    return {job.jid for job in seen.history.plan.jobs} - {record.jid for record in reported.records}


def _told_before(seen: _HistoryIndex, reported: Reported, jid: str) -> Reported | None:
    """The last word that it is there, to the same host, of one that ran or had its place in line."""
    words = [
        other
        for other in seen.reported
        if other.answered < reported.asked
        and other.op.what != "clean"
        and (seen.base(other), seen.host(other)) == (seen.base(reported), seen.host(reported))
        and any(record.jid == jid and record.cause != "never" for record in other.records)
    ]
    return words[-1] if words else None


def _may_be_gone(seen: _HistoryIndex, reported: Reported, jid: str, before: Reported) -> bool:
    base = seen.base(reported)
    if any(clean.asked < reported.answered and clean.answered > before.asked for clean in seen.cleans(base, jid)):
        return True
    # One that was killed while it stood in line never ran: a kill takes it away.
    return seen.hurt(base, jid, reported.answered) and _was_killed(seen, reported, jid)


def _nothing_changes(seen: _HistoryIndex) -> Iterator[str]:
    """An end is told again as it was; only what was lost may be ended yet, and what survived be killed."""
    ends: dict[tuple[str, str, int], tuple[Reported, Record]] = {}
    for reported, record in seen.records():
        if record.pid is None:
            continue
        key = (seen.base(reported), record.jid, record.pid)
        first = ends.get(key)
        if first and reported.asked > first[0].answered and _end_of(record) != _end_of(first[1]):
            may = first[1].cause in ("gone", "disk_full") or first[1].survivors
            if not may:
                yield f"{_of(reported, record)}, but before, {_of(*first)}"
        if record.finished and (not first or reported.answered < first[0].answered or first[1].cause == "gone"):
            ends[key] = (reported, record)


def _end_of(record: Record) -> tuple[object, ...]:
    return (record.state, record.cause, record.rc, record.signal, record.end, record.survivors)


def _queued_is_true(seen: _HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        if record.state is not State.QUEUED:
            continue
        for run in seen.runs(reported, record.jid):
            gone = any(
                c.asked < reported.answered and c.answered > run.began
                for c in seen.cleans(seen.base(reported), record.jid)
            )
            if run.began < reported.asked - ROUGH and not gone:
                yield f"{_of(reported, record)}, but it began at {run.began}"


def _one_has_the_lock(seen: _HistoryIndex) -> Iterator[str]:
    """And in the order in which they came."""
    for base in sorted(set(seen.history.bases)):
        for host in sorted(set(seen.history.names)):
            runs = sorted(
                (run for run in seen.history.runs if run.base == base and run.host == host and _stands(seen, run)),
                key=lambda run: run.began,
            )
            for first, second in pairwise(runs):
                if first.ended and first.ended > second.began + ROUGH:
                    yield f"{second.jid} began at {second.began}, and {first.jid} had the lock until {first.ended}"
            yield from _out_of_order(seen, base, runs)


def _out_of_order(seen: _HistoryIndex, base: str, runs: list[CommandRun]) -> Iterator[str]:
    for second in runs:
        for first in runs:
            came, late = _stood(seen, base, first), _asked_first(seen, base, second.jid)
            if first.began > second.began + ROUGH and came is not None and late is not None and came < late:
                yield f"{second.jid} ran at {second.began}, before {first.jid}, which stood in line since {came:.2f}"


def _stands(seen: _HistoryIndex, run: CommandRun) -> bool:
    return seen.history.plan.job(run.jid).does is Does.STANDS


def _stood(seen: _HistoryIndex, base: str, run: CommandRun) -> float | None:
    """When it was first told to stand in line, of a job that was started once: another start stands there anew."""
    if len(_starts(seen, base, run.jid)) > 1:
        return None
    times = [
        reported.answered
        for reported, record in seen.records()
        if record.jid == run.jid and seen.base(reported) == base and record.state is State.QUEUED
    ]
    return min(times) if times and not seen.hurt(base, run.jid, run.began) else None


def _asked_first(seen: _HistoryIndex, base: str, jid: str) -> float | None:
    return min((reported.asked for reported in _starts(seen, base, jid)), default=None)


def _starts(seen: _HistoryIndex, base: str, jid: str) -> list[Reported]:
    return [t for t in seen.reported if t.op.what == "start" and t.op.jid == jid and seen.base(t) == base]


def _of_the_right_host(seen: _HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        run = seen.run_of(reported, record)
        if run and run.host != seen.host(reported):
            yield f"{_of(reported, record)}, and it runs on {run.host}"
    for reported in seen.reported:
        if isinstance(reported.error, OtherHost) and len(set(seen.history.names)) == 1:
            yield f"{reported.op.what} of {reported.op.jid}, {_when(reported)}: {reported.error.message}"


def _refusals_have_a_reason(seen: _HistoryIndex) -> Iterator[str]:
    for reported in seen.reported:
        said = f"{reported.op.what} of {reported.op.jid}, {_when(reported)}: {reported.error}"
        broken = bool(seen.history.broken) or any(
            other.did and other.op.deed and other.op.deed.pause is None for other in seen.reported
        )
        match reported.error:
            case None | JobNotFound() | OtherHost():
                continue
            case JobExists():
                other = {op.variant for op in seen.history.plan.ops if op.what == "start" and op.jid == reported.op.jid}
                if len(other) == 1:
                    yield said
            case StartFailed():
                if not broken and "taken away" not in reported.error.message:
                    yield said
            case TimedOut():
                continue  # the machine has much to do
            case Unreachable() | ProtocolError():
                if not broken and not reported.did:
                    yield said
            case _:
                yield said


def _right_command(seen: _HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        run = seen.run_of(reported, record)
        if reported.op.what == "start" and run and run.variant != reported.op.variant:
            yield f"{_of(reported, record)}, whose command is another"


def _nothing_is_left(seen: _HistoryIndex) -> Iterator[str]:
    yield from seen.history.left


def _of(reported: Reported, record: Record) -> str:
    words = " ".join(
        str(word) for word in (record.state, record.cause, record.rc, record.signal) if word not in (None, "")
    )
    return f"{reported.op.what} of {record.jid} (pid {record.pid}), {_when(reported)}: {words} {record.msg!r}"


def _when(reported: Reported) -> str:
    return f"{reported.asked:.2f} to {reported.answered:.2f}"


RULES: dict[str, Callable[[_HistoryIndex], Iterator[str]]] = {
    "once": _at_most_once,
    "command": _right_command,
    "end": _ends_are_true,
    "output": _output_is_whole,
    "ended": _kills_and_limits_are_true,
    "proven": _proven_means_nobody_lives,
    "next": _no_next_command,
    "lost": _lost_is_true,
    "there": _there_is_what_is_there,
    "changed": _nothing_changes,
    "queued": _queued_is_true,
    "line": _one_has_the_lock,
    "host": _of_the_right_host,
    "refused": _refusals_have_a_reason,
    "left": _nothing_is_left,
}
