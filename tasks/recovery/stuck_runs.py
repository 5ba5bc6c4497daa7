"""Runs that no process works on, because no automation noticed their trouble.

A server that goes away, or has too much to do, loses events: that a worker took a run, or that a process died. And
the runs that recover others die like others, but no automation is about them: each recovery would need the next one.
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
from remotejobs.prefect.tasks.recovery.heartbeats import has_recent_heartbeat, last_log
from remotejobs.prefect.tasks.recovery.recover import CrashLoop, recover_run, was_cut_short
from remotejobs.prefect.tasks.timings import timings

_RESUMABLE = "resumable"
_UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.CRASHED)
# In which states runs with these tags may be stuck. Those of a line are asked for together, so many cancelled ones keep
# no other out of the answer.
_TROUBLE = (
    (_RESUMABLE, (*_UNDER_WAY, StateType.CANCELLING)),
    (_RESUMABLE, (StateType.CANCELLED,)),
    ("recover", _UNDER_WAY),
    ("alert", _UNDER_WAY),
    ("rescue", _UNDER_WAY),  # the old name of `recover`, for one release
)
# A run that died long ago was left as it is on purpose.
_LATELY = timedelta(hours=1)


class NotRecovered(RemoteJobsError):
    """Some runs are as they were. Each is named, with the reason."""


def recover_all_stuck_runs() -> dict[UUID, str]:
    """Recover every stuck run; returns what was done for each. `NotRecovered` once all were tried."""
    with get_client(sync_client=True) as client:
        me = client.read_flow_run(UUID(flow_run.id))
        if _is_left_to_a_newer_one(client, me):
            get_run_logger().info("a newer run of this flow was taken too, and does it")
            return {}
        stuck = [run.id for run in _suspects(client) if _is_stuck(client, run)]
    done, failed = {}, {}
    for run in stuck:
        try:
            # It was scheduled an hour ago: what counts is when it began.
            done[run] = recover_run(run, since=me.updated)
        except CrashLoop as exc:
            done[run] = str(exc)  # the `recover` that refused to resume it has failed, and was reported
        except RemoteJobsError as exc:
            get_run_logger().error("%s", exc)
            failed[run] = str(exc)
    if failed:
        raise NotRecovered("; ".join(failed.values()))
    return done


def _is_stuck(client: SyncPrefectClient, run: FlowRun) -> bool:
    if not is_stuck(run, lambda run_id: _is_alive(client, run_id)):
        return False
    # Most cancelled runs were ended.
    cancelled = run.state is not None and run.state.is_cancelled()
    return not cancelled or was_cut_short(client.read_flow_run_states(run.id))


def is_stuck(run: FlowRun, alive: Callable[[UUID], bool]) -> bool:
    """Whether no process works on a suspect. `alive`: whether the process of a run, or what cancels it, is alive."""
    if run.state is None:
        return False
    since = datetime.now(UTC) - run.state.timestamp
    long_enough = since > timedelta(seconds=timings().start_timeout)
    match run.state.type:
        case StateType.PENDING:
            return long_enough
        case StateType.RUNNING | StateType.CANCELLING:
            return long_enough and not alive(run.id)
        case _:
            # The automation begins with a resumable one at once, and is not to be got in the way of.
            return since < _LATELY and (long_enough or _RESUMABLE not in run.tags)


def _is_alive(client: SyncPrefectClient, run: UUID) -> bool:
    late = datetime.now(UTC) - timedelta(seconds=timings().cancel_log_timeout)
    return has_recent_heartbeat(client, run) or last_log(client, run, since=late) > late


def _is_left_to_a_newer_one(client: SyncPrefectClient, me: FlowRun) -> bool:
    """Whether this is one of several that begin together, after no worker took any for a while."""
    if me.deployment_id is None:
        return False
    taken = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING, StateType.RUNNING]))
    mine = FlowRunFilterDeploymentId.model_validate({"any_": [me.deployment_id]})
    newer = FlowRunFilterExpectedStartTime.model_validate({"after_": me.expected_start_time})
    wanted = FlowRunFilter(deployment_id=mine, state=taken, expected_start_time=newer)
    return any(run.id != me.id for run in client.read_flow_runs(flow_run_filter=wanted))


def _suspects(client: SyncPrefectClient) -> Iterator[FlowRun]:
    """Of each kind the newest, as many as the server gives at a time."""
    for tag, states in _TROUBLE:
        state = FlowRunFilterState(type=FlowRunFilterStateType(any_=[*states]))
        wanted = FlowRunFilter(tags=FlowRunFilterTags(any_=[tag]), state=state)
        yield from client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC)
