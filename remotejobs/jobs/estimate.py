"""How long a running job will take on: by earlier runs of the same label on that host, else by its own percentage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from remotejobs.errors import HostError
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.progress import seconds_at_pace

RUNS = 5  # of the newest; older ones may have been of another size


def usual_seconds(there: Iterable[Record], label: str) -> float | None:
    """The median of the newest runs of that label that succeeded; None where there is none."""
    same = [record for record in there if record.label == label and record.state is State.SUCCEEDED]
    took = [record.delta for record in sorted(same, key=lambda record: record.end)[-RUNS:] if record.delta is not None]
    return median(took) if label and took else None


def with_usual(records: Sequence[Record]) -> tuple[Record, ...]:
    """All jobs of a host, what runs with how long it usually takes."""
    return tuple(
        record if record.finished else replace(record, usual=usual_seconds(records, record.label)) for record in records
    )


def seconds_left(record: Record) -> float | None:
    """About how long it will take on; None without a percentage where it is the first run, or longer than usual."""
    if record.state is not State.RUNNING or record.delta is None:
        return None
    if record.usual is not None and record.delta < record.usual:
        return record.usual - record.delta
    return seconds_at_pace(record.progress, record.delta) if record.progress else None


class Estimator:
    """Adds to the records of one job how long it usually takes; its host is asked for that once."""

    def __init__(self, jobs: HostJobs) -> None:
        self._jobs = jobs
        self._asked = False
        self._usual: float | None = None

    def of(self, record: Record) -> Record:
        """A host that does not answer this question is not asked again: nothing depends on it."""
        if record.finished or not record.label:
            return record
        if not self._asked:
            self._asked = True
            try:
                self._usual = usual_seconds(self._jobs.list(), record.label)
            except HostError:
                return record
        return replace(record, usual=self._usual)
