"""`python -m lab.kill PID`: kill a process with all that it started, at once, as when its machine loses power."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from lab.process import descendants


def kill(pid: int) -> None:
    """Of what is gone already nothing is said."""
    for each in (pid, *descendants(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


if __name__ == "__main__":
    kill(int(sys.argv[1]))
