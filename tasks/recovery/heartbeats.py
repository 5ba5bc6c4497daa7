"""Whether a process works on a flow run: it sends heartbeats, and a hook logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId, LogFilterTimestamp
from prefect.client.schemas.sorting import LogSort
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter

from remotejobs.prefect.tasks.timings import timings

HEARTBEAT = "prefect.flow-run.heartbeat"
_CLOCKS_DIFFER = timedelta(minutes=10)
_NEWEST = 10  # events; they come newest first


def await_heartbeat(client: SyncPrefectClient, run: UUID, *, since: datetime) -> bool:
    """Wait for a heartbeat of `run` that the server receives after `since`; True at the first.

    A server that was away received nothing for that long. When it is back, the heartbeats of living processes reach it
    within this time.
    """
    now = datetime.now(UTC)
    until = max(since + _heartbeat_wait(), now + timedelta(seconds=timings().heartbeat_wait_at_least))
    return wait_until(lambda: _heartbeats(client, run, since) > 0, until=until)


def has_recent_heartbeat(client: SyncPrefectClient, run: UUID) -> bool:
    """Whether the server received a heartbeat of `run` so lately that its process may be taken to live."""
    return _heartbeats(client, run, datetime.now(UTC) - _heartbeat_wait()) > 0


def wait_until(come: Callable[[], bool], *, until: datetime) -> bool:
    """Poll; False when it has not come by then."""
    while not come():
        if datetime.now(UTC) >= until:
            return False
        time.sleep(timings().poll_interval)
    return True


def last_log(client: SyncPrefectClient, run: UUID, *, since: datetime) -> datetime:
    """When `run` logged last; `since` when it did not log after that."""
    wanted = LogFilter(
        flow_run_id=LogFilterFlowRunId(any_=[run]), timestamp=LogFilterTimestamp.model_validate({"after_": since})
    )
    lines = client.read_logs(log_filter=wanted, limit=1, sort=LogSort.TIMESTAMP_DESC)
    return lines[0].timestamp if lines else since


def _heartbeat_wait() -> timedelta:
    return timedelta(seconds=timings().heartbeat_wait)


def _heartbeats(client: SyncPrefectClient, run: UUID, since: datetime) -> int:
    # What counts is when the server received it, by its own clock; the worker's may be wrong.
    around = {"since": since - _CLOCKS_DIFFER, "until": datetime.now(UTC) + _CLOCKS_DIFFER}
    mine = EventResourceFilter(id=[f"prefect.flow-run.{run}"])
    wanted = EventFilter(
        event=EventNameFilter(name=[HEARTBEAT]), resource=mine, occurred=EventOccurredFilter.model_validate(around)
    )
    return sum(event.received > since for event in client.read_events(wanted, limit=_NEWEST).events)
