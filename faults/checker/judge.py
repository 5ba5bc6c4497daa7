"""Whether all that was reported was true: the history against what the commands left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from faults.checker.history import EpisodeHistory, Reported
from faults.checker.history_index import HistoryIndex, was_killed, when
from faults.checker.queue_rules import one_has_the_lock, queued_is_true
from faults.checker.record_rules import (
    ends_are_true,
    kills_and_limits_are_true,
    lost_is_true,
    nothing_changes,
    of_the_right_host,
    output_is_whole,
    proven_means_nobody_lives,
    right_command,
)
from remotejobs.errors import (
    JobExists,
    JobNotFound,
    OtherHost,
    ProtocolError,
    StartFailed,
    TimedOut,
    Unreachable,
)


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
        for rule, broken_by in RULES.items()
        for found in (Violation(rule, what) for what in broken_by(HistoryIndex(history)))
    ]


def _at_most_once(seen: HistoryIndex) -> Iterator[str]:
    for base, jid in _places(seen):
        runs = [run for run in seen.history.runs if run.jid == jid and run.base == base]
        for first, second in pairwise(runs):
            between = (c for c in seen.cleans(base, jid) if c.asked < second.began and c.answered > first.began)
            if not any(between):
                yield f"{jid} was run at {first.began} as {first.pid}, and again at {second.began} as {second.pid}"


def _places(seen: HistoryIndex) -> list[tuple[str, str]]:
    return sorted({(base, job.jid) for base in seen.history.bases for job in seen.history.plan.jobs})


def _no_next_command(seen: HistoryIndex) -> Iterator[str]:
    hurt = {one.jid for _, one in seen.history.broken if one.what == "kill"}
    for run in seen.history.runs:
        if run.went_on and run.jid not in hurt:
            yield f"{run.jid} went on to its next command when it was ended"


def _there_is_what_is_there(seen: HistoryIndex) -> Iterator[str]:
    """A job that was reported, and was not cleaned since, is there."""
    for reported in seen.reported:
        missing = _missing(seen, reported)
        for jid in missing:
            if (before := _reported_before(seen, reported, jid)) and not _may_be_gone(seen, reported, jid, before):
                yield f"{reported.op.what} of {jid}, {when(reported)}: not there, but it was at {before.answered:.2f}"


def _missing(seen: HistoryIndex, reported: Reported) -> Iterable[str]:
    if isinstance(reported.error, JobNotFound) and reported.op.jid:
        return [reported.op.jid]
    if reported.op.what != "list" or reported.error:
        return []
    return {job.jid for job in seen.history.plan.jobs} - {record.jid for record in reported.records}


def _reported_before(seen: HistoryIndex, reported: Reported, jid: str) -> Reported | None:
    """The last report of it by the same host, as one that ran or had its place in line."""
    words = [
        other
        for other in seen.reported
        if other.answered < reported.asked
        and other.op.what != "clean"
        and (seen.base(other), seen.host(other)) == (seen.base(reported), seen.host(reported))
        and any(record.jid == jid and record.cause != "never" for record in other.records)
    ]
    return words[-1] if words else None


def _may_be_gone(seen: HistoryIndex, reported: Reported, jid: str, before: Reported) -> bool:
    base = seen.base(reported)
    if any(clean.asked < reported.answered and clean.answered > before.asked for clean in seen.cleans(base, jid)):
        return True
    # One that was killed while it stood in line never ran: a kill takes it away.
    return seen.hurt(base, jid, reported.answered) and was_killed(seen, reported, jid)


def _refusals_have_a_reason(seen: HistoryIndex) -> Iterator[str]:
    for reported in seen.reported:
        said = f"{reported.op.what} of {reported.op.jid}, {when(reported)}: {reported.error}"
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


def _nothing_is_left(seen: HistoryIndex) -> Iterator[str]:
    yield from seen.history.left


RULES: dict[str, Callable[[HistoryIndex], Iterator[str]]] = {
    "once": _at_most_once,
    "command": right_command,
    "end": ends_are_true,
    "output": output_is_whole,
    "ended": kills_and_limits_are_true,
    "proven": proven_means_nobody_lives,
    "next": _no_next_command,
    "lost": lost_is_true,
    "there": _there_is_what_is_there,
    "changed": nothing_changes,
    "queued": queued_is_true,
    "line": one_has_the_lock,
    "host": of_the_right_host,
    "refused": _refusals_have_a_reason,
    "left": _nothing_is_left,
}
