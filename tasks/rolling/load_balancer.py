"""Taking hosts out of their load balancer, waiting until they are drained, and putting them back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from remotejobs.operations.balancers import Pool, PoolServer, Standing
from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.floor import full_count, reserve
from remotejobs.operations.rolling.steps import DrainedHost, DrainResult, is_restored, taken_over
from remotejobs.operations.rolling.steps import drain as drain_held
from remotejobs.operations.rolling.steps import put_back as put_back_and_see
from remotejobs.operations.rolling.steps import put_in as put_in_and_see
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.rolling.errors import BelowFloor, NotSeenUp, TakenOver
from remotejobs.prefect.tasks.rolling.managed_host import ManagedHost, managed_host

_CHECK_AGAIN_AFTER = 1.0  # seconds


@task(task_run_name="floor for {host}", cache_policy=NO_CACHE)
def await_floor(
    host: str, others: Sequence[str], access: Access, update: Update, *, aside: Sequence[str] = (), wait: bool = True
) -> None:
    """Wait until enough other servers serve for `host` to leave, as they are now; `BelowFloor`.

    `others` are the hosts of the update: they must also be healthy for the update's own check. With hosts `aside`, all
    servers that should serve but these must do. Without `wait` it is asked once.
    """
    until = time.monotonic() + (update.floor_wait if wait else 0)
    while True:
        reserves = [
            reserve(pool, update.floor, ill, full_count(pool, host, aside) if aside else 0)
            for pool, ill in _pools(host, others, access, update)
        ]
        if impossible := [each.words for each in reserves if not each.possible]:
            raise BelowFloor(host, "; ".join(impossible))
        if not (short := [each.words for each in reserves if not each.enough]):
            for each in reserves:
                get_run_logger().info("%.3g of %d others serve, %d needed", each.share, each.of, each.needed)
            return
        if time.monotonic() >= until:
            raise BelowFloor(host, "; ".join(short))
        time.sleep(_CHECK_AGAIN_AFTER)


def _pools(host: str, others: Sequence[str], access: Access, update: Update) -> list[tuple[Pool, dict[str, str]]]:
    """Each pool that counts, and which hosts in it are not healthy."""
    managed = managed_host(host, access, update)
    known = {other: managed_host(other, access, update) for other in others}
    pools = managed.balancer.pools(managed.host, [each.host for each in known.values()])
    if pools is not None and update.floor_of == "hosts":
        pools = tuple(replace(pool, others=tuple(each for each in pool.others if each.host)) for pool in pools)
    counted = set(known) if pools is None else {each.host for pool in pools for each in pool.others if each.host}
    ill = _ill({name: each for name, each in known.items() if name in counted}, ask_balancer=pools is None)
    if pools is None:
        pools = (Pool(name="this update", others=tuple(PoolServer(name=name, host=name) for name in others)),)
    return [(pool, ill) for pool in pools]


def _ill(known: dict[str, ManagedHost], *, ask_balancer: bool) -> dict[str, str]:
    """Those of the hosts that are not healthy now, with the reason; asked side by side."""

    def why(managed: ManagedHost) -> str:
        check = managed.check_health()
        if not check.healthy:
            return check.said
        return "" if not ask_balancer or managed.balancer.status(managed.host).serves else "not in the load balancer"

    with ThreadPoolExecutor(max_workers=min(16, len(known) or 1)) as pool:
        said = dict(zip(known, pool.map(why, known.values()), strict=True))
    return {name: words for name, words in said.items() if words}


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
def put_back(host: str, found: Standing | None, access: Access, update: Update) -> None:
    """Restore `host` as it was `found`, and see that the load balancer thinks it up if it was in.

    `NotSeenUp` when it does not in time; `TakenOver` when something else keeps the host out by now.
    """
    managed = managed_host(host, access, update)
    status = put_back_and_see(
        managed.balancer, managed.host, found, within=update.up_within, contact_timeout=update.contact_timeout
    )
    if is_restored(status, found):
        get_run_logger().info("%s stands as it was found: %s", host, found.words if found else "in")
    elif other := taken_over(status, found):
        raise TakenOver(host, f"stays out: something else put it into {other} while it was updated")
    else:
        raise NotSeenUp(host, f"was put back, but the load balancer does not see it up after {update.up_within:g} s")


@task(task_run_name="put in {host}", cache_policy=NO_CACHE)
def put_in(host: str, access: Access, update: Update) -> None:
    """Give `host` requests, however it was found, and see that the load balancer thinks it up. `NotSeenUp`."""
    managed = managed_host(host, access, update)
    within, contact = update.up_within, update.contact_timeout
    if not put_in_and_see(managed.balancer, managed.host, within=within, contact_timeout=contact).serves:
        raise NotSeenUp(host, f"was put in, but the load balancer does not see it up after {within:g} s")
