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
from remotejobs.prefect.tasks.runs.shards import POOL, WHOLE, Part, Shards
from remotejobs.text import one_line

_WORKER = "prefect.worker.name"
_PART = "part"  # of the run options
_OWN = ("shards", _PART)  # options of the parent alone


@dataclass(frozen=True, slots=True)
class Shard:
    """A run of the parent's flow on the hosts of `part`."""

    part: Part
    run: FlowRun

    @property
    def worker(self) -> str:
        return str(self.run.labels.get(_WORKER, ""))

    @property
    def begun(self) -> bool:
        """Whether a process began it, ever: before that it has done nothing on its hosts."""
        # A run that is cancelled before it began is given a start all the same.
        return self.run.run_count > 0

    @property
    def ended(self) -> str:
        """How, in a line: `Failed, Flow run encountered an exception`"""
        state = self.run.state
        return one_line(f"{state.name}, {state.message or ''}".removesuffix(", ")) if state else "new"


def shards_of(client: SyncPrefectClient, parent: UUID) -> list[Shard]:
    """The shards that `parent` was split into so far, by number."""
    children = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent]))
    found = [Shard(part_of(run), run) for run in client.read_flow_runs(flow_run_filter=children)]
    return sorted((shard for shard in found if shard.part.of == str(parent)), key=lambda shard: shard.part.number)


def part_of(run: FlowRun) -> Part:
    """Which shard the run is; `WHOLE` when it is none."""
    given = (value.get(_PART) for value in run.parameters.values() if isinstance(value, dict))
    return Part.model_validate(next((part for part in given if part), WHOLE))


def look_again(client: SyncPrefectClient, shards: Sequence[Shard]) -> list[Shard]:
    """The same shards as they are now."""
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[shard.run.id for shard in shards]))
    now = {run.id: run for run in client.read_flow_runs(flow_run_filter=wanted)}
    return [Shard(shard.part, now.get(shard.run.id, shard.run)) for shard in shards]


def begin_shards(client: SyncPrefectClient, hosts: Sequence[str], shards: Shards) -> list[Shard]:
    """Have every host in one of the shards of the flow run under way, and all of them waiting for workers, or begun.

    However often this is done, a shard is begun once. Raises `UsageError` when the server does not know their
    deployment.
    """
    me = UUID(flow_run.id)
    there = shards_of(client, me)
    placed = {host for shard in there for host in shard.part.hosts}
    left = [host for host in hosts if host not in placed]
    if not left:
        return there
    total = there[0].part.total if there else shards.number_for(hosts=len(left), workers=workers_of(client))
    taken = {shard.part.number for shard in there}
    # Hosts that the inventory did not name when the run was split make up a shard more.
    free = [number for number in range(1, total + 1) if number not in taken] or [max(taken) + 1]
    given = client.read_flow_run(me).parameters
    cut = shares(left, len(free))
    parts = [Part(of=str(me), number=number, total=total, hosts=mine) for number, mine in zip(free, cut, strict=False)]
    return [*there, *(Shard(part, _begin(part, given)) for part in parts)]


def _begin(part: Part, given: dict[str, Any]) -> FlowRun:
    context = FlowRunContext.get()
    assert context is not None and context.flow is not None
    options = name_of_options(context.flow)
    shared = {name: value for name, value in given.get(options, {}).items() if name not in _OWN}
    # Of a shard that failed the parent tells.
    parameters = {name: value for name, value in given.items() if name != "notify"}
    name = f"{flow_run.flow_name}/{flow_run.flow_name}-shard"
    try:
        run = run_deployment(
            name,
            parameters={**parameters, options: {**shared, _PART: part.model_dump(mode="json")}},
            # Two processes of one parent begin it once.
            idempotency_key=f"{part.of}:shard:{part.number}",
            timeout=0,
        )
    except ObjectNotFound as exc:
        raise UsageError(f"the server knows no deployment {name}", remedy="`make deploy` makes it known.") from exc
    # Outside of an event loop it is no coroutine.
    return cast("FlowRun", run)


def workers_of(client: SyncPrefectClient) -> int:
    """How many workers of the pool are there now."""
    online = WorkerFilter(status=WorkerFilterStatus(any_=[WorkerStatus.ONLINE]))
    try:
        return len(client.read_workers_for_work_pool(POOL, worker_filter=online))
    except ObjectNotFound as exc:
        raise UsageError(f"the server has no work pool {POOL}", remedy="`make deploy` makes it.") from exc
