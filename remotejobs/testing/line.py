"""Which job waits for which on a simulated host: of the jobs that want a name, so many run as may, as they came."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from remotejobs.testing.job import FakeJob


def settle(jobs: Iterable[FakeJob], now: float) -> None:
    """Let all that is due by `now` have happened: turns and ends. `jobs` are those of one user, in order of arrival."""
    before: defaultdict[str, list[FakeJob]] = defaultdict(list)
    for job in jobs:
        if job.is_queued:
            _advance(job, before, now)
        job.settle(now)
        for name, _ in job.wants:
            before[name].append(job)


def _advance(job: FakeJob, before: defaultdict[str, list[FakeJob]], now: float) -> None:
    turn = max((_free_at(before[name], most) for name, most in job.wants), default=job.arrived)
    over = job.coming()
    if turn <= now and (over is None or turn < over.at):
        job.begin(max(turn, job.arrived))
        return
    for name, most in job.wants:
        ahead = [other for other in before[name] if not other.end]
        if len(ahead) >= most:
            job.waits_for, job.place = _what(name, most, ahead[0].job.jid), len(ahead) - most + 1
            return


def _free_at(before: Sequence[FakeJob], most: int) -> float:
    """When fewer than `most` of those before were left."""
    ends = sorted(job.end.at if job.end else math.inf for job in before)
    return ends[len(ends) - most] if len(ends) >= most else -math.inf


def _what(want: str, most: int, holder: str) -> str:
    kind, _, name = want.partition(":")
    if kind == "lock":
        return f"lock {name}, held by {holder}"
    return f"one of {most} slots{f' in {name}' if name else ''}"
