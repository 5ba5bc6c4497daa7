"""Of several runs that one event started, the first handles it.

An automation starts one run for an event, and on a busy server several: where the transaction fails in which it
fired, the server hears the event again, and fires again.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.logging.loggers import flow_run_logger
from prefect.runtime import flow_run

_AGAIN_WITHIN = timedelta(hours=1)  # the server hears an event again within minutes


def event_is_handled(run_id: UUID, event: str) -> str:
    """Why there is nothing to do for `event`, which is about `run_id`: an earlier run handles it; "": this one does."""
    if not event:
        return ""
    with get_client(sync_client=True) as client:
        me = client.read_flow_run(UUID(flow_run.id))
        earlier = _earlier(client, me, {"flow_run_id": str(run_id), "event": event})
    if earlier is None:
        return ""
    done = f"nothing to do: {earlier.id} was started before it for the same event"
    flow_run_logger(me).info("%s", done)
    return done


def _earlier(client: SyncPrefectClient, me: FlowRun, key: dict[str, str]) -> FlowRun | None:
    """The run of the same deployment that was started before `me` with the same key, unless it came to nothing."""
    if me.deployment_id is None or me.created is None:
        return None
    mine = FlowRunFilterDeploymentId.model_validate({"any_": [me.deployment_id]})
    lately = FlowRunFilterExpectedStartTime.model_validate({"after_": me.created - _AGAIN_WITHIN})
    wanted = FlowRunFilter(deployment_id=mine, expected_start_time=lately)
    # The newest first, as many as the server gives at a time: those for one event come one after the other.
    for run in client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC):
        before = run.created is not None and (run.created, run.id) < (me.created, me.id)
        if (
            before
            and not _came_to_nothing(run)
            and key.items() <= {k: str(v) for k, v in run.parameters.items()}.items()
        ):
            return run
    return None


def _came_to_nothing(run: FlowRun) -> bool:
    state = run.state
    return state is not None and state.is_final() and not state.is_completed()
