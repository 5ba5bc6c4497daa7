"""What is to be said of the many jobs of many hosts: which are meant, how many are how, and what has run longest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from remotejobs.model import Record, State
from remotejobs.text import duration, one_line


def is_like(record: Record, jobs: str) -> bool:
    """Whether `jobs` means this job: its label or its jid, both with * and ?, or the beginning of its jid."""
    return fnmatchcase(record.label, jobs) or fnmatchcase(record.jid, jobs) or record.jid.startswith(jobs)


def is_recent(record: Record, seconds: float, now: datetime) -> bool:
    """Whether the job has not ended, or ended at most so many seconds ago; one whose end is unknown is recent."""
    return not record.end or (now - datetime.fromisoformat(record.end)).total_seconds() <= seconds


def in_order(records: Iterable[Record]) -> list[Record]:
    """What runs, the longest first, what is queued, what ended without success, then the rest, the newest first."""
    newest_first = sorted(records, key=lambda record: record.end or record.start, reverse=True)
    return sorted(newest_first, key=_urgency)


def counted(records: Iterable[Record]) -> str:
    """`2 running, 5 succeeded, 1 lost`"""
    states = Counter(record.state for record in records)
    return ", ".join(f"{states[state]} {state}" for state in State if states[state]) or "no jobs"


def summary(records: Iterable[Record]) -> str:
    """`2 running, 5 succeeded, 1 lost; longest running: vacuum on db1, 2h03m`"""
    known = list(records)
    running = [record for record in known if record.state is State.RUNNING]
    if not running:
        return counted(known)
    longest = max(running, key=lambda record: record.delta or 0.0)
    return f"{counted(known)}; longest running: {name_of(longest)} on {longest.host}, {duration(longest.delta)}"


def name_of(record: Record) -> str:
    """What a person calls the job, on one line."""
    return one_line(record.label or record.jid)


def now() -> datetime:
    """The time of day that `is_recent` compares with."""
    return datetime.now(UTC)


def _urgency(record: Record) -> tuple[int, float]:
    if not record.finished:
        return int(record.state is State.QUEUED), -(record.delta or 0.0)
    return (3 if record.state is State.SUCCEEDED else 2), 0.0
