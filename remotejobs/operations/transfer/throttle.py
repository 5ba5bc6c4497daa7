"""A bandwidth limit that several transfers share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Throttle:
    """At most `rate` bytes a second over time, 0 for no limit; safe to use from several threads."""

    def __init__(
        self, rate: int, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = 0.0

    def spend(self, count: int) -> None:
        """Wait until the bytes that went before are paid for, then take `count` more on account."""
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            wait = self._free_at - now
            self._free_at = max(self._free_at, now) + count / self._rate
        if wait > 0:
            self._sleep(wait)
