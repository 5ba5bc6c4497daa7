"""Rules for what a record says of its job: its end, its output, its host."""

from __future__ import annotations

from collections.abc import Iterator

from faults.checker.command import LIMIT, output_of
from faults.checker.history import Reported
from faults.checker.history_index import ROUGH, HistoryIndex, asked_first, shown, was_killed, when
from faults.checker.plan import Does
from remotejobs.errors import (
    OtherHost,
)
from remotejobs.model import Record, State


def ends_are_true(seen: HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        if record.state not in (State.SUCCEEDED, State.FAILED):
            continue
        run = seen.run_of(reported, record)
        if (
            record.signal
            or (record.rc or 0) > 128
            or (run is None and seen.hurt(seen.base(reported), record.jid, reported.answered))
        ):
            if not seen.hurt(seen.base(reported), record.jid, reported.answered) and not was_killed(
                seen, reported, record.jid
            ):
                yield f"{shown(reported, record)}, and no kill was requested"
        elif run is None or run.ended is None or run.ended > reported.answered + ROUGH or run.rc != record.rc:
            yield f"{shown(reported, record)}, but {run} "
        elif record.state is not (State.FAILED if run.rc else State.SUCCEEDED):
            yield f"{shown(reported, record)}, but {run}"


def output_is_whole(seen: HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        run = seen.run_of(reported, record)
        if not run or seen.disk_was_full(reported) or not (reported.op.what in ("poll", "kill") or record.attached):
            continue
        whole = record.state in (State.SUCCEEDED, State.FAILED) and record.rc == run.rc
        if record.stdout != output_of(run) and (whole or record.stdout):
            yield f"{shown(reported, record)} with {record.stdout!r}"


def kills_and_limits_are_true(seen: HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        if record.state is State.KILLED and not was_killed(seen, reported, record.jid):
            yield f"{shown(reported, record)}, and that was not requested"
        if record.state is State.TIMED_OUT:
            does, began = seen.history.plan.job(record.jid).does, asked_first(seen, seen.base(reported), record.jid)
            if does is not Does.LIMITED or began is None or reported.answered - began < LIMIT - ROUGH:
                yield f"{shown(reported, record)}, after less than its limit"
        if record.state is State.STALLED or record.cause == "rebooted":
            yield shown(reported, record)


def proven_means_nobody_lives(seen: HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        run = seen.run_of(reported, record)
        if run and "proven empty" in record.msg and (run.host, run.pid) in reported.alive:
            yield f"{shown(reported, record)}, and a process of it lives"


def lost_is_true(seen: HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        if record.state is not State.LOST:
            continue
        base = seen.base(reported)
        if record.cause == "gone" and not seen.hurt(base, record.jid, reported.answered):
            yield f"{shown(reported, record)}, and no process of it was killed"
        if record.cause == "damaged" and not (
            seen.hurt(base, record.jid, reported.answered) or seen.disk_was_full(reported)
        ):
            yield f"{shown(reported, record)}, and it was not damaged"
        if record.cause == "disk_full" and not seen.disk_was_full(reported):
            yield f"{shown(reported, record)}, and no disk was full"
        if record.cause == "never":
            yield from _never_ran(seen, reported, record)


def _never_ran(seen: HistoryIndex, reported: Reported, record: Record) -> Iterator[str]:
    base = seen.base(reported)
    for run in seen.runs(reported, record.jid):
        gone = any(
            clean.asked < reported.answered and clean.answered > run.began for clean in seen.cleans(base, record.jid)
        )
        if run.began < reported.asked - ROUGH and not gone:
            yield f"{shown(reported, record)}, but it began at {run.began} as {run.pid}"


def nothing_changes(seen: HistoryIndex) -> Iterator[str]:
    """An end is always reported the same; only a lost job may still be ended, and survivors killed."""
    ends: dict[tuple[str, str, int], tuple[Reported, Record]] = {}
    for reported, record in seen.records():
        if record.pid is None:
            continue
        key = (seen.base(reported), record.jid, record.pid)
        first = ends.get(key)
        if first and reported.asked > first[0].answered and _end_of(record) != _end_of(first[1]):
            may = first[1].cause in ("gone", "disk_full") or first[1].survivors
            if not may:
                yield f"{shown(reported, record)}, but before, {shown(*first)}"
        if record.finished and (not first or reported.answered < first[0].answered or first[1].cause == "gone"):
            ends[key] = (reported, record)


def _end_of(record: Record) -> tuple[object, ...]:
    return (record.state, record.cause, record.rc, record.signal, record.end, record.survivors)


def of_the_right_host(seen: HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        run = seen.run_of(reported, record)
        if run and run.host != seen.host(reported):
            yield f"{shown(reported, record)}, and it runs on {run.host}"
    for reported in seen.reported:
        if isinstance(reported.error, OtherHost) and len(set(seen.history.names)) == 1:
            yield f"{reported.op.what} of {reported.op.jid}, {when(reported)}: {reported.error.message}"


def right_command(seen: HistoryIndex) -> Iterator[str]:
    for reported, record in seen.records():
        run = seen.run_of(reported, record)
        if reported.op.what == "start" and run and run.variant != reported.op.variant:
            yield f"{shown(reported, record)}, whose command is another"
