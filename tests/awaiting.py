"""Waiting for what comes sooner or later."""

from __future__ import annotations

import time
from collections.abc import Callable

from remotejobs.agent.shell import Shell


def await_true(condition: Callable[[], bool], within: float = 300, every: float = 0.05) -> None:
    """Ask every so many seconds until it is true."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        # No event says when it comes true, and to ask without a pause would take the time of what is awaited.
        time.sleep(every)


def await_there(shell: Shell, condition: str) -> None:
    """Return once the shell command `condition` succeeds on a machine, whose answer costs more than the wait."""
    asked = f"for _ in $(seq 40); do {{ {condition}; }} && exit; sleep 0.2; done; exit 1"
    await_true(lambda: shell.run(asked).rc == 0)
