"""Heartbeats of a run's process beside Prefect's own, for `Timings` that want them oftener than Prefect sends them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.events import emit_event

from remotejobs.prefect.tasks.recovery.heartbeats import HEARTBEAT
from remotejobs.prefect.tasks.timings import PREFECTS_HEARTBEAT, timings


class Heart:
    """Says for the process of `run` that it lives, in the words of Prefect's own heartbeat."""

    def __init__(self, run: FlowRun) -> None:
        self._resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name}
        # The automations match the run's tag.
        self._related = [
            {"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in sorted(run.tags)
        ]
        self._last = time.monotonic()

    def beat(self, states: Sequence[RunState[Any]]) -> None:
        """Send one if it is time and the run, whose `states` these are, has not come to its end.

        After the last heartbeat an automation waits for the next event of the run, which the end is.
        """
        every, now = timings().heartbeat, time.monotonic()
        if every >= PREFECTS_HEARTBEAT or now - self._last < every or _is_over(states[-1]):
            return
        self._last = now
        emit_event(HEARTBEAT, self._resource, related=self._related)


def _is_over(state: RunState[Any]) -> bool:
    # A worker may report the death of the process before this one.
    return state.is_final() and not state.is_crashed()
