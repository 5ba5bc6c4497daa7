"""The clock of one host: it goes as ours does, and may jump ahead, so that an hour's job takes a test no time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    __slots__ = ("_ahead",)

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds; it never goes back."""
        return time.monotonic() + self._ahead

    def jump(self, until: float) -> None:
        self._ahead += max(0.0, until - self.now())

    def epoch(self, at: float) -> float:
        """What the wall clock showed at `at`."""
        return time.time() + self._ahead - (self.now() - at)

    def iso(self, at: float) -> str:
        """The same as `2026-01-31T02:00:00Z`."""
        return datetime.fromtimestamp(self.epoch(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
