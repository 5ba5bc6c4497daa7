"""Taking hosts out of their load balancer, waiting until they are drained, and putting them back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.budget import amount_of
from remotejobs.operations.rolling.steps import DrainedHost, DrainResult
from remotejobs.operations.rolling.steps import drain as drain_held
from remotejobs.operations.rolling.steps import put_back as put_back_and_see
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.rolling.errors import BelowFloor, NotSeenUp
from remotejobs.prefect.tasks.rolling.managed_host import managed_host

_LOOK_AGAIN_AFTER = 1.0  # seconds


@task(task_run_name="floor for {host}", cache_policy=NO_CACHE)
def await_floor(host: str, others: Sequence[str], access: Access, update: Update) -> None:
    """Wait until enough of the `others` are healthy and in the load balancer, as they are now; `BelowFloor`."""
    needed = amount_of(update.floor, len(others), round_up=True)
    if needed > len(others):
        raise BelowFloor(host, f"{needed} other hosts must be healthy, and there are only {len(others)}")
    until = time.monotonic() + update.floor_wait
    while True:
        healthy = [other for other in others if managed_host(other, access, update).serves]
        if len(healthy) >= needed:
            get_run_logger().info("%d of %d other hosts are healthy, %d needed", len(healthy), len(others), needed)
            return
        if time.monotonic() >= until:
            missing = ", ".join(other for other in others if other not in healthy)
            raise BelowFloor(host, f"only {len(healthy)} of {len(others)} other hosts are healthy, not {missing}")
        time.sleep(_LOOK_AGAIN_AFTER)


@task(task_run_name="take out {host}", cache_policy=NO_CACHE)
def take_out(host: str, access: Access, update: Update) -> None:
    """Let the load balancer give `host` no new requests. Raises `HostError`."""
    managed = managed_host(host, access, update)
    managed.balancer.take_out(managed.host)


@task(task_run_name="drain {host}", cache_policy=NO_CACHE)
def drain(host: str, access: Access, update: Update) -> DrainResult:
    """Wait until its connections have ended, or the deadline. Raises `HostError`."""
    logger = get_run_logger()
    managed = managed_host(host, access, update)
    drained = drain_held(DrainedHost(managed.balancer, managed.host, logger.warning), within=update.drain)
    left = "an unknown number of" if drained.left is None else drained.left
    logger.info("%s: %s connections left after %.1f s", host, left, drained.seconds)
    return drained


@task(task_run_name="put back {host}", cache_policy=NO_CACHE)
def put_back(host: str, access: Access, update: Update) -> None:
    """Put `host` back and see that the load balancer thinks it up; `NotSeenUp` when it does not in time."""
    managed = managed_host(host, access, update)
    if not put_back_and_see(
        managed.balancer, managed.host, within=update.up_within, contact_timeout=update.contact_timeout
    ):
        raise NotSeenUp(host, f"was put back, but the load balancer does not see it up after {update.up_within:g} s")
