"""Rules for jobs that wait for a lock."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from faults.checker.command import CommandRun
from faults.checker.history_index import ROUGH, HistoryIndex, asked_first, shown, starts_of
from faults.checker.plan import Does
from remotejobs.model import State


def queued_is_true(seen: HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        if record.state is not State.QUEUED:
            continue
        for run in seen.runs(reported, record.jid):
            gone = any(
                c.asked < reported.answered and c.answered > run.began
                for c in seen.cleans(seen.base(reported), record.jid)
            )
            if run.began < reported.asked - ROUGH and not gone:
                yield f"{shown(reported, record)}, but it began at {run.began}"


def one_has_the_lock(seen: HistoryIndex) -> Iterator[str]:
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


def _out_of_order(seen: HistoryIndex, base: str, runs: list[CommandRun]) -> Iterator[str]:
    for second in runs:
        for first in runs:
            came, late = _stood(seen, base, first), asked_first(seen, base, second.jid)
            if first.began > second.began + ROUGH and came is not None and late is not None and came < late:
                yield f"{second.jid} ran at {second.began}, before {first.jid}, which stood in line since {came:.2f}"


def _stands(seen: HistoryIndex, run: CommandRun) -> bool:
    return seen.history.plan.job(run.jid).does is Does.STANDS


def _stood(seen: HistoryIndex, base: str, run: CommandRun) -> float | None:
    """When it was first reported as queued, if it was started once: another start takes a new place in line."""
    if len(starts_of(seen, base, run.jid)) > 1:
        return None
    times = [
        reported.answered
        for reported, record in seen.records()
        if record.jid == run.jid and seen.base(reported) == base and record.state is State.QUEUED
    ]
    return min(times) if times and not seen.hurt(base, run.jid, run.began) else None
