"""Slots that all runs together share, as declared in deployments/resources.yml. What is not declared limits nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from prefect import get_client, get_run_logger
from prefect.concurrency.sync import concurrency
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound

from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections

# Seconds after its last renewal until the slots of a process that died are free again; a resumed run waits for that.
_LEASE = 60.0


@contextmanager
def fork_slots(access: Access) -> Iterator[None]:
    """Hold as many slots of `forks:INVENTORY` as the run has forks, or all when there are fewer.

    A flow that is called by another one takes none; a shard, which is a run of a deployment, takes its own.
    """
    name = f"forks:{access.name}"
    most = None if _is_called() else _declared([name]).get(name)
    if most is None:
        yield
        return
    with _slots([name], min(access.forks, most)):
        yield


@contextmanager
def group_slots(kind: str, access: Access, hosts: Sequence[str]) -> Iterator[None]:
    """Hold one slot of `KIND:GROUP` for every group of the inventory that has one of `hosts`."""
    groups = connections().inventory(access).groups
    mine = _declared(f"{kind}:{name}" for name, members in groups.items() if not set(hosts).isdisjoint(members))
    if not mine:
        yield
        return
    with _slots(list(mine), 1):
        yield


def _is_called() -> bool:
    """Whether the flow was called by another one, in its process."""
    context = FlowRunContext.get()
    mine = context.flow_run if context else None
    return mine is not None and mine.parent_task_run_id is not None and mine.deployment_id is None


@contextmanager
def _slots(names: list[str], occupy: int) -> Iterator[None]:
    logger = get_run_logger()
    logger.info("waiting for %d slots of %s", occupy, ", ".join(names))
    with concurrency(names, occupy=occupy, lease_duration=_LEASE):
        logger.info("got them")
        yield


def _declared(names: Iterable[str]) -> dict[str, int]:
    """Those of the limits that there are, and how much each lets through."""
    found: dict[str, int] = {}
    with get_client(sync_client=True) as client:
        for name in names:
            try:
                limit = client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound:
                continue
            if limit.active:
                found[name] = limit.limit
    return found
