"""Waiting for the shards of a run, and beginning no more of them once too many hosts failed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterType,
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.states import Cancelled, Cancelling

from remotejobs.model import State
from tasks.host_group_progress import NOT_STARTED
from tasks.shard_reports import Reported, report_of
from tasks.shard_runs import Shard, look_again
from tasks.shard_stop import stop
from tasks.shards import Shards

_ASK_EVERY = 3.0  # seconds
_PAGE = 200  # task runs that the server gives at a time
_BAD_ENDS = frozenset({State.FAILED, State.TIMED_OUT, State.STALLED, State.KILLED, State.LOST})
# `rescue` resumes a crashed run within two minutes; one that is still crashed then is nobody's any more.
_RESUMED_WITHIN = 300.0  # seconds


@dataclass
class Watch:
    """The shards of a run as they were last seen; `stopped` says why no more of them begin, "" while they may."""

    shards: list[Shard]
    reports: dict[int, list[Reported]] = field(default_factory=dict)
    crashed: dict[int, float] = field(default_factory=dict)  # since when, as seen here
    stopped: str = ""

    @property
    def hosts(self) -> int:
        return sum(len(shard.part.hosts) for shard in self.shards)


def await_shards(client: SyncPrefectClient, begun: Sequence[Shard], wanted: Shards) -> Watch:
    """Wait until every shard is over; its report is there if it came to one."""
    watch = Watch(list(begun))
    told: dict[int, str] = {}
    while True:
        watch.shards = look_again(client, watch.shards)
        _tell_changes(watch.shards, told)
        for shard in watch.shards:
            if _over(shard) and shard.part.number not in watch.reports and (report := report_of(client, shard.run.id)):
                watch.reports[shard.part.number] = report
        if all(map(_over, watch.shards)):
            return watch
        _give_up_crashed(client, watch)
        if not watch.stopped and not wanted.bears_all:
            _stop_if_exceeded(client, watch, wanted)
        if watch.stopped:
            _hold_back(client, watch)
        time.sleep(_ASK_EVERY)


def _over(shard: Shard) -> bool:
    state = shard.run.state
    return state is not None and state.is_final() and not state.is_crashed()


def _give_up_crashed(client: SyncPrefectClient, watch: Watch) -> None:
    """So that nobody resumes them once their hosts were told of. After an absence of the server all have their time."""
    for shard in watch.shards:
        if not (shard.run.state and shard.run.state.is_crashed()):
            watch.crashed.pop(shard.part.number, None)
        elif time.monotonic() - watch.crashed.setdefault(shard.part.number, time.monotonic()) > _RESUMED_WITHIN:
            given_up: RunState[None] = Cancelled(message="Given up: it crashed, and nobody resumed it")
            client.set_flow_run_state(shard.run.id, given_up, force=True)


def _stop_if_exceeded(client: SyncPrefectClient, watch: Watch, wanted: Shards) -> None:
    untold = [shard for shard in watch.shards if shard.part.number not in watch.reports]
    failed = {end.host for report in watch.reports.values() for end in report if not end.succeeded}
    # One that broke before it could tell, as on a worker without the inventory: nobody says that a host of it is well.
    failed |= {host for shard in untold if _over(shard) for host in shard.part.hosts}
    failed |= _failed_already(client, [shard for shard in untold if not _over(shard)])
    watch.stopped = wanted.exceeded(failed=len(failed), hosts=watch.hosts)
    if watch.stopped:
        get_run_logger().error("%s: shards that wait for a worker are not begun", watch.stopped)
        stop(watch.stopped)


def _hold_back(client: SyncPrefectClient, watch: Watch) -> None:
    """Cancel what waits for a worker, also what `rescue` sent back there. What a worker took goes on."""
    for shard in watch.shards:
        if not shard.begun and _is_scheduled(shard):
            (now,) = look_again(client, [shard])
            if not now.begun and _is_scheduled(now):
                client.set_flow_run_state(shard.run.id, Cancelling(message=f"Not begun: {watch.stopped}"))


def _failed_already(client: SyncPrefectClient, running: Iterable[Shard]) -> set[str]:
    """Hosts of shards under way that failed: of those a task run each did, and groups keep tables."""
    by_run = {shard.run.id: set(shard.part.hosts) for shard in running if shard.begun}
    if not by_run:
        return set()
    # `poll LABEL on HOST`
    named = {run.name.rpartition(" on ")[2] for run in _failed_task_runs(client, list(by_run))}
    tables = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=list(by_run)), type=ArtifactFilterType(any_=["table"])
    )
    for table in client.read_artifacts(artifact_filter=tables):
        # Who is silent may be heard again; who was not started will not be.
        final = str(table.key).endswith(NOT_STARTED)
        named |= {str(row["host"]) for row in json.loads(str(table.data)) if final or row.get("state") in _BAD_ENDS}
    return named & {host for hosts in by_run.values() for host in hosts}


def _failed_task_runs(client: SyncPrefectClient, runs: list[UUID]) -> Iterator[TaskRun]:
    failed = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.FAILED])))
    mine = FlowRunFilter(id=FlowRunFilterId(any_=runs))
    for offset in count(step=_PAGE):
        page = client.read_task_runs(flow_run_filter=mine, task_run_filter=failed, limit=_PAGE, offset=offset)
        yield from page
        if len(page) < _PAGE:
            return


def _is_scheduled(shard: Shard) -> bool:
    return shard.run.state is not None and shard.run.state.is_scheduled()


def _tell_changes(shards: Iterable[Shard], told: dict[int, str]) -> None:
    for shard in shards:
        state = shard.run.state.name if shard.run.state else "new"
        line = f"{state}, {shard.worker}".removesuffix(", ")
        if told.get(shard.part.number) != line:
            told[shard.part.number] = line
            get_run_logger().info("%s, %d hosts: %s", shard.part, len(shard.part.hosts), line)
