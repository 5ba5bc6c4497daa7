"""How long the recovery waits before it acts, all in seconds, for controllers, workers, server and automations alike.

The values are for machines that start a Python program in ten seconds. REMOTEJOBS_TIMINGS_SCALE multiplies all of them:
2 for slower machines, 0.1 in tests. It has to be the same for the server, its workers and `make deploy`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache

from remotejobs.errors import UsageError

VARIABLE = "REMOTEJOBS_TIMINGS_SCALE"
_SMALLEST, _LARGEST = 0.01, 100.0
# Prefect's engine sends heartbeats no more often than this, whatever PREFECT_FLOWS_HEARTBEAT_FREQUENCY says.
PREFECTS_HEARTBEAT = 30.0
# What an automation could name in the release before: `within: ${timings.NAME}`.
OLD_TIMINGS = {"silence": "heartbeat_timeout", "beginning": "start_timeout"}


def _seconds(usual: float, *, at_least: float = 0.0) -> float:
    """A waiting time. `at_least` is what it needs however small the scale: a program's start takes what it takes, and
    questions and heartbeats cost the server."""
    seconds: float = field(default=usual, metadata={"at_least": at_least})
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds. What is not named here does not belong to the recovery."""

    heartbeat: float = _seconds(PREFECTS_HEARTBEAT, at_least=8)
    """From one heartbeat of a run's process to the next."""
    heartbeat_timeout: float = _seconds(45, at_least=20)
    """Without a heartbeat, until an automation starts `recover`. Prefect takes 10 or more."""
    heartbeat_wait: float = _seconds(40, at_least=15)
    """For which `recover` waits for a heartbeat before it calls a process dead, its way into the database included."""
    heartbeat_wait_at_least: float = _seconds(15, at_least=10)
    """For which it waits at least, however long ago it was started: a worker reports a death twice, the second time
    once the run's hooks have run."""
    start_timeout: float = _seconds(150, at_least=60)
    """From taking a run to beginning it, until its worker is called dead. A busy machine starts processes slowly."""
    poll_interval: float = _seconds(2, at_least=1)
    """Between two polls of a run's state."""
    takeover_check_interval: float = _seconds(15, at_least=3)
    """Between two checks of a run's process whether another process has taken its run over."""
    worker_kill_timeout: float = _seconds(40, at_least=15)
    """For which a cancelled process leaves it to its worker to end it: SIGTERM, and SIGKILL 30 s later."""
    cancel_log_interval: float = _seconds(20, at_least=2)
    """What cancels a run logs something at least that often."""
    cancel_log_timeout: float = _seconds(45, at_least=20)
    """Without a line in the log, until what cancels a run is called dead."""
    cancelled_again: float = _seconds(120, at_least=60)
    """For which a run that became Cancelled and does so again starts no second `recover`."""
    process_exit_timeout: float = _seconds(180, at_least=30)
    """For which `recover` waits for the process of a cancelled run to end itself."""
    shard_poll_interval: float = _seconds(3, at_least=1)
    """Between two polls of the shards of a run."""
    shard_crash_timeout: float = _seconds(300, at_least=300)
    """For which a shard may show as Crashed, until it is given up."""
    shard_cancel_timeout: float = _seconds(600, at_least=300)
    """For which a split run waits until its shards are cancelled."""

    def scaled(self, factor: float) -> Timings:
        """All of them `factor` times as long, and none shorter than it has to be."""
        return Timings(
            **{
                each.name: max(getattr(self, each.name) * factor, float(each.metadata["at_least"]))
                for each in fields(self)
            }
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Timings:
        """Those that REMOTEJOBS_TIMINGS_SCALE asks for; not set or empty, the usual ones. Raises `UsageError`."""
        said = environment.get(VARIABLE, "")
        if not said:
            return cls()
        try:
            factor = float(said)
        except ValueError:
            factor = math.nan
        # Not a number is not between them either.
        if not _SMALLEST <= factor <= _LARGEST:
            raise UsageError(
                f"{VARIABLE} is {said!r}",
                remedy=f"Give a number from {_SMALLEST:g} to {_LARGEST:g}, such as 2 on slow machines; 1 is usual.",
            )
        return cls().scaled(factor)


@cache
def timings() -> Timings:
    """Those of this process. Raises `UsageError` for a scale that is none."""
    return Timings.from_environment(os.environ)
