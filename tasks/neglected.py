"""Runs that nobody looks after, because no automation heard of their trouble.

A server that goes away loses the events that it has not recorded yet, such as that a worker took a run. And those that
rescue others die like others, but no automation is about them: each rescue would need the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import flow_run

from remotejobs.errors import RemoteJobsError
from tasks.rescue import BEGINS_WITHIN, see_to
from tasks.signs_of_life import was_heard

# In which states runs with these tags may be in trouble that nobody sees.
_TROUBLE = {
    "resumable": [StateType.PENDING],
    "rescue": [StateType.PENDING, StateType.RUNNING, StateType.CRASHED],
}
# What died long ago somebody left as it is.
_LATELY = timedelta(hours=1)


class NotRescued(RemoteJobsError):
    """Some runs are as they were. Each is named, with the reason."""


def rescue_neglected_runs() -> dict[UUID, str]:
    """See to every neglected run; says what was done for each. `NotRescued` once all were tried."""
    with get_client(sync_client=True) as client:
        me = client.read_flow_run(UUID(flow_run.id))
        if _is_left_to_a_newer_one(client, me):
            get_run_logger().info("a newer run of this flow was taken too, and looks")
            return {}
        neglected = [run.id for run in _suspects(client) if is_neglected(run, lambda run: was_heard(client, run))]
    done, failed = {}, {}
    for run in neglected:
        try:
            # It was scheduled an hour ago: what counts is when it began.
            done[run] = see_to(run, since=me.updated)
        except RemoteJobsError as exc:
            get_run_logger().error("%s", exc)
            failed[run] = str(exc)
    if failed:
        raise NotRescued("; ".join(failed.values()))
    return done


def is_neglected(run: FlowRun, heard: Callable[[UUID], bool]) -> bool:
    """Whether nobody looks after a suspect. `heard`: whether the process of a run said of late that it lives."""
    if run.state is None:
        return False
    since = datetime.now(UTC) - run.state.timestamp
    match run.state.type:
        case StateType.PENDING:
            return since > BEGINS_WITHIN
        case StateType.RUNNING:
            return since > BEGINS_WITHIN and not heard(run.id)
        case _:
            return since < _LATELY


def _is_left_to_a_newer_one(client: SyncPrefectClient, me: FlowRun) -> bool:
    """Whether this is one of several that begin together, after nobody took any for a while."""
    if me.deployment_id is None:
        return False
    taken = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
    mine = FlowRunFilterDeploymentId.model_validate({"any_": [me.deployment_id]})
    newer = FlowRunFilterExpectedStartTime.model_validate({"after_": me.expected_start_time})
    wanted = FlowRunFilter(deployment_id=mine, state=taken, expected_start_time=newer)
    return any(run.id != me.id for run in client.read_flow_runs(flow_run_filter=wanted))


def _suspects(client: SyncPrefectClient) -> Iterator[FlowRun]:
    """Of each kind the newest, as many as the server gives at a time."""
    for tag, states in _TROUBLE.items():
        state = FlowRunFilterState(type=FlowRunFilterStateType(any_=states))
        wanted = FlowRunFilter(tags=FlowRunFilterTags(any_=[tag]), state=state)
        yield from client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
