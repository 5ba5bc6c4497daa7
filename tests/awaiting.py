"""Waiting for what comes sooner or later."""

from __future__ import annotations

import time
from collections.abc import Callable


def await_true(condition: Callable[[], bool], within: float = 300, every: float = 0.05) -> None:
    """Ask every so many seconds until it is true."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        # No event says when it comes true, and to ask without a pause would take the time of what is awaited.
        time.sleep(every)
