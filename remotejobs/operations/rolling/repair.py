"""Put right what an update left that was cancelled or died: no host stays out that is healthy, and none unnamed."""

from __future__ import annotations

from collections.abc import Callable

from remotejobs.errors import HostRefused, Unreachable
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.model import State
from remotejobs.operations.balancers import LoadBalancer
from remotejobs.operations.rolling.health import HealthCheck
from remotejobs.operations.rolling.history import history_of
from remotejobs.operations.rolling.plan import Update
from remotejobs.operations.rolling.steps import (
    HealthStatus,
    Report,
    check_stays_healthy,
    is_restored,
    put_back,
    taken_over,
)


class StaysOut(HostRefused):
    """Make it healthy, then run the repair again, or update it again."""


def repair(
    host: HostLike,
    jobs: HostJobs,
    balancer: LoadBalancer,
    plan: Update,
    update: str,
    report: Report,
    ask: Callable[[], HealthCheck],
) -> str:
    """Put `host` right after the update with id `update`; returns in words what was done. `StaysOut` when it cannot be.

    `ask` checks its health once.

    A job of the update that still runs is ended first, with proof. A host that something else took out is
    left alone.
    """
    try:
        history = history_of(jobs.list(), update)
    except Unreachable as exc:
        if balancer.status(host).out:
            raise StaysOut(host.name, f"is out of the load balancer and cannot be reached: {exc.message}") from exc
        raise
    if history.last is None:
        return "the update never came to it"
    if history.last.state in (State.RUNNING, State.LOST):
        record = jobs.kill(history.last.jid(update))
        report(f"{history.last.kind} on {host.name} was ended: {record.state}. {record.msg}")
        if record.survivors:
            raise StaysOut(host.name, f"has processes of the update that survived KILL: {record.survivors}")
    status, found = balancer.status(host), history.found
    if status.out is False:
        was = f"; it was found {found.words}" if found and found.out else ""
        return f"it is in the load balancer{was}"
    if found and found.out and is_restored(status, found):
        return f"it is as the update found it: {found.words}"
    verdict = check_stays_healthy(ask, plan.health)
    if verdict.condition is HealthStatus.UNHEALTHY:
        raise StaysOut(host.name, f"is not healthy and stays out of the load balancer: {verdict.why}")
    status = put_back(balancer, host, found, within=plan.up_within, contact_timeout=plan.contact_timeout)
    if is_restored(status, found):
        back = f"restored as it was found, {found.words}" if found and found.out else "put back"
        return f"it was {back}, with version {verdict.version or 'unknown'}"
    if other := taken_over(status, found):
        raise StaysOut(host.name, f"stays out: something else put it into {other}")
    raise StaysOut(host.name, "was put back, but the load balancer does not see it up")
