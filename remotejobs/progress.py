"""How far a job says it is: the last line that it wrote to the file named by `$REMOTEJOBS_PROGRESS`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%?(?:\s+(.*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Progress:
    """`percent` is from 0 to 100, None where the line does not begin with one; `phase` is the rest of the line."""

    percent: float | None = None
    phase: str = ""

    def __str__(self) -> str:
        percent = "" if self.percent is None else f"{self.percent:g} %"
        return " ".join(filter(None, (percent, self.phase)))


def progress_of(line: str) -> Progress | None:
    """What `line` says: `40`, `40 %`, `40 copying`, `copying`; None for an empty one."""
    line = " ".join(line.split())
    match = _PERCENT.fullmatch(line)
    if match and float(match[1]) <= 100:
        return Progress(float(match[1]), match[2] or "")
    return Progress(None, line) if line else None


def seconds_at_pace(progress: Progress, delta: float) -> float | None:
    """How long a job that took `delta` seconds so far will take on at that pace; None where that is not known yet."""
    if not progress.percent or delta < 1:
        return None
    return delta * (100 - progress.percent) / progress.percent
