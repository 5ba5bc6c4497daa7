"""What is to be said of the many jobs of many hosts: which run, since when, which are lost, and which take too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from remotejobs.display.text import duration, one_line
from remotejobs.errors import RemoteJobsError
from remotejobs.model import Record, State
from remotejobs.service import is_service

_HOUR = 3600.0


def is_like(record: Record, jobs: str) -> bool:
    """Whether `jobs` means this job: its label or its jid, both with * and ?, or the beginning of its jid."""
    return fnmatchcase(record.label, jobs) or fnmatchcase(record.jid, jobs) or record.jid.startswith(jobs)


def is_recent(record: Record, seconds: float, now: datetime) -> bool:
    """Whether the job has not ended, or ended at most so many seconds ago; one whose end nobody knows is recent."""
    return not record.end or datetime.fromisoformat(record.end) >= now - timedelta(seconds=seconds)


def in_order(records: Iterable[Record]) -> list[Record]:
    """What runs, the longest first, then what ended without success, then the rest, the newest first."""
    newest_first = sorted(records, key=lambda record: record.end or record.start, reverse=True)
    return sorted(newest_first, key=_urgency)


def summary(records: Iterable[Record]) -> str:
    """`2 running, 5 succeeded, 1 lost; longest running: vacuum on db1, 2h03m`"""
    ordered = in_order(records)
    states = Counter(record.state for record in ordered)
    counts = ", ".join(f"{states[state]} {state}" for state in State if states[state]) or "no jobs"
    if not states[State.RUNNING]:
        return counts
    longest = ordered[0]
    return f"{counts}; longest running: {name_of(longest)} on {longest.host}, {duration(longest.delta)}"


def name_of(record: Record) -> str:
    """What a person calls the job, on one line."""
    return one_line(record.label or record.jid)


class Overdue(BaseModel):
    """When a job that runs has run too long. A service never does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hours: float = Field(default=24, ge=0, description="Hours that a job may run; 0: as long as it likes.")
    labels: dict[str, float] = Field(
        default={}, description="Hours for the jobs of a label, with * and ?: nightly*: 3. The first that fits counts."
    )

    def has(self, record: Record) -> bool:
        """Whether the job runs and is overdue."""
        if record.finished or is_service(record.jid):
            return False
        hours = next((hours for like, hours in self.labels.items() if fnmatchcase(record.label, like)), self.hours)
        return hours > 0 and (record.delta or 0.0) > hours * _HOUR


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should look at. `jid` is empty for a host that could not be asked."""

    what: Literal["lost", "overdue", "not asked"]
    host: str
    jid: str
    said: str


def alerts(records: Iterable[Record], silent: Mapping[str, RemoteJobsError], overdue: Overdue) -> list[Alert]:
    """The hosts that could not be asked, the lost and the overdue; not what was never run: who started it knows."""
    found = [Alert("not asked", host, "", one_line(error.message)) for host, error in silent.items()]
    for record in in_order(records):
        if record.state is State.LOST and record.cause != "never":
            found.append(Alert("lost", record.host, record.jid, f"{name_of(record)}: {one_line(record.msg)}"))
        elif overdue.has(record):
            said = f"{name_of(record)}: running for {duration(record.delta)}"
            found.append(Alert("overdue", record.host, record.jid, said))
    return found


def now() -> datetime:
    """The time of day that `is_recent` compares with."""
    return datetime.now(UTC)


def _urgency(record: Record) -> tuple[int, float]:
    if not record.finished:
        return 0, -(record.delta or 0.0)
    return (2 if record.state is State.SUCCEEDED else 1), 0.0
