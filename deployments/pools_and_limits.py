"""Work pools and concurrency limits: what differs on the server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    WorkPoolCreate,
    WorkPoolUpdate,
)
from prefect.exceptions import ObjectNotFound

from remotejobs.errors import UsageError
from remotejobs.prefect.deployments.change import Change, differences
from remotejobs.prefect.deployments.declared import FILE, Limit, WorkPool


def pool_changes(client: SyncPrefectClient, declared: list[WorkPool]) -> Iterator[Change]:
    """`UsageError` for one that the server has of another type."""
    for pool in declared:
        try:
            there = client.read_work_pool(pool.name)
        except ObjectNotFound:
            wanted = WorkPoolCreate(**pool.model_dump())
            yield Change("work pool", pool.name, partial(client.create_work_pool, wanted))
            continue
        if there.type != pool.type:
            raise UsageError(
                f"{FILE.name}: work pool {pool.name!r} is of type {pool.type}; the server has it as {there.type}",
                remedy=f"A pool keeps its type: declare another name, or `prefect work-pool delete {pool.name}` first.",
            )
        if what := differences(there.model_dump(), pool.model_dump()):
            update = WorkPoolUpdate(description=pool.description, concurrency_limit=pool.concurrency_limit)
            yield Change("work pool", pool.name, partial(client.update_work_pool, pool.name, update), what)


def limit_changes(client: SyncPrefectClient, declared: list[Limit]) -> Iterator[Change]:
    """One that was switched off limits nothing, so it is switched on again."""
    for limit in declared:
        try:
            there = client.read_global_concurrency_limit_by_name(limit.name)
        except ObjectNotFound:
            wanted = GlobalConcurrencyLimitCreate(name=limit.name, limit=limit.limit)
            yield Change("limit", limit.name, partial(client.create_global_concurrency_limit, wanted))
            continue
        if what := differences(there.model_dump(), {**limit.model_dump(), "active": True}):
            update = GlobalConcurrencyLimitUpdate(limit=limit.limit, active=True)
            yield Change("limit", limit.name, partial(client.update_global_concurrency_limit, limit.name, update), what)
