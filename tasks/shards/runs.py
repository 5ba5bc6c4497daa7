"""The runs of the shards, as the server knows them: a resumed parent finds what there is, and begins the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    WorkerFilter,
    WorkerFilterStatus,
)
from prefect.client.schemas.objects import FlowRun, WorkerStatus
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from remotejobs.errors import UsageError
from remotejobs.operations.batches import shares
from remotejobs.prefect.tasks.runs.options import name_of_options
from remotejobs.prefect.tasks.runs.shards import POOL, WHOLE, Shard, Shards
from remotejobs.prefect.tasks.shards.deployment import deployment_of_shards
from remotejobs.text import one_line

_WORKER = "prefect.worker.name"
_SHARD = "shard"  # of the run options
_OLD_SHARD = "part"  # of runs that the release before began
_OWN = ("shards", _SHARD, _OLD_SHARD)  # options of the parent alone


@dataclass(frozen=True, slots=True)
class ShardRun:
    """A run of the parent's flow on the hosts of `shard`."""

    shard: Shard
    run: FlowRun

    @property
    def worker(self) -> str:
        return str(self.run.labels.get(_WORKER, ""))

    @property
    def started(self) -> bool:
        """Whether a process began it, ever: before that it has done nothing on its hosts."""
        # A run that is cancelled before it began is given a start all the same.
        return self.run.run_count > 0

    @property
    def ended(self) -> str:
        """How, in a line: `Failed, Flow run encountered an exception`"""
        state = self.run.state
        return one_line(f"{state.name}, {state.message or ''}".removesuffix(", ")) if state else "new"


def shards_of(client: SyncPrefectClient, parent: UUID) -> list[ShardRun]:
    """The shards that `parent` was split into so far, by number."""
    children = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent]))
    found = [ShardRun(shard_of(run), run) for run in client.read_flow_runs(flow_run_filter=children)]
    return sorted(
        (shard_run for shard_run in found if shard_run.shard.of == str(parent)),
        key=lambda shard_run: shard_run.shard.number,
    )


def shard_of(run: FlowRun) -> Shard:
    """Which shard the run is; `WHOLE` when it is none."""
    given = (value.get(_SHARD) or value.get(_OLD_SHARD) for value in run.parameters.values() if isinstance(value, dict))
    return Shard.model_validate(next((shard for shard in given if shard), WHOLE))


def refreshed(client: SyncPrefectClient, shards: Sequence[ShardRun]) -> list[ShardRun]:
    """The same shards as they are now."""
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[shard_run.run.id for shard_run in shards]))
    now = {run.id: run for run in client.read_flow_runs(flow_run_filter=wanted)}
    return [ShardRun(shard_run.shard, now.get(shard_run.run.id, shard_run.run)) for shard_run in shards]


def begin_shards(client: SyncPrefectClient, hosts: Sequence[str], shards: Shards) -> list[ShardRun]:
    """Have every host in one of the shards of the flow run under way, and all of them waiting for workers, or started.

    However often this is done, a shard is started once. Raises `UsageError` for a run of no deployment, and when the
    server does not know the pool of shards.
    """
    me = UUID(flow_run.id)
    there = shards_of(client, me)
    placed = {host for shard_run in there for host in shard_run.shard.hosts}
    left = [host for host in hosts if host not in placed]
    if not left:
        return there
    total = there[0].shard.total if there else shards.number_for(hosts=len(left), workers=workers_of(client))
    taken = {shard_run.shard.number for shard_run in there}
    # Hosts that the inventory did not name when the run was split make up a shard more.
    free = [number for number in range(1, total + 1) if number not in taken] or [max(taken) + 1]
    parent = client.read_flow_run(me)
    deployment = deployment_of_shards(client, parent)
    cut = shares(left, len(free))
    new = [Shard(of=str(me), number=number, total=total, hosts=mine) for number, mine in zip(free, cut, strict=False)]
    return [*there, *(ShardRun(shard, _begin(deployment, shard, parent.parameters)) for shard in new)]


def _begin(deployment: UUID, shard: Shard, given: dict[str, Any]) -> FlowRun:
    context = FlowRunContext.get()
    assert context is not None and context.flow is not None
    options = name_of_options(context.flow)
    shared = {name: value for name, value in (given.get(options) or {}).items() if name not in _OWN}
    # The parent reports a shard that failed.
    parameters = {name: value for name, value in given.items() if name != "notify"}
    run = run_deployment(
        deployment,
        parameters={**parameters, options: {**shared, _SHARD: shard.model_dump(mode="json")}},
        # Two processes of one parent begin it once.
        idempotency_key=f"{shard.of}:shard:{shard.number}",
        timeout=0,
    )
    # Outside of an event loop it is no coroutine.
    return cast("FlowRun", run)


def workers_of(client: SyncPrefectClient) -> int:
    """How many workers of the pool are there now."""
    online = WorkerFilter(status=WorkerFilterStatus(any_=[WorkerStatus.ONLINE]))
    try:
        return len(client.read_workers_for_work_pool(POOL, worker_filter=online))
    except ObjectNotFound as exc:
        remedy = f"Start a worker of it, which makes it: prefect worker start --pool {POOL} --type process."
        raise UsageError(f"the server has no work pool {POOL}", remedy=remedy) from exc
