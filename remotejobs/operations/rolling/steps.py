"""The steps of an update that wait: until a host is drained, until it is healthy, until its balancer sees it up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from remotejobs.errors import HostError
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.wait import retry_while_unreachable
from remotejobs.operations.balancers import BalancerStatus, LoadBalancer, Standing
from remotejobs.operations.rolling.health import HealthCheck, Streak
from remotejobs.operations.rolling.plan import Health, Update

PAUSE = 0.25  # seconds between two checks of the balancer, at most
# Seconds between these while a host is out: one that was reloaded must not send it requests for longer than that.
HELD_PAUSE = 1.0
SHORTEST_PAUSE = 0.05
QUIET_CHECKS = 2  # a request that was just being handed over is not counted yet at the first
# Seconds between these. In 296 drains at 1,500 requests/s HAProxy counted none any more after the first 0.
QUIET_PAUSE = 0.1

Report = Callable[[str], None]


class DrainedHost:
    """A host that is held outside its balancer: one that comes back by itself, as after a reload, is taken out again.

    `again` counts how often that was.
    """

    def __init__(self, balancer: LoadBalancer, host: HostLike, report: Report) -> None:
        self.again = 0
        self._balancer = balancer
        self._host = host
        self._report = report

    def check(self) -> BalancerStatus:
        """How it stands; taken out again if it has to be. Raises what the balancer raises."""
        status = self._balancer.status(self._host)
        if status.inside:
            self._balancer.take_out(self._host)
            self.again += 1
            self._report(f"the load balancer gave {self._host.name} requests again (a reload?); it was taken out again")
        return status

    def check_quietly(self) -> None:
        """The same, but a balancer that cannot be asked now is only reported: a deployment goes on without it."""
        try:
            self.check()
        except HostError as exc:
            self._report(f"the load balancer cannot be asked: {exc.message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainResult:
    """After `seconds`, `left` connections were still there (None: the balancer cannot count)."""

    seconds: float
    left: int | None
    again: int


def drain(held: DrainedHost, *, within: float) -> DrainResult:
    """Wait until no connection is left, at most `within` seconds: all of them where the balancer cannot count."""
    began = time.monotonic()
    quiet = 0
    while True:
        status = held.check()
        quiet = quiet + 1 if status.connections == 0 and not status.inside else 0
        waited = time.monotonic() - began
        if quiet == QUIET_CHECKS or waited >= within:
            return DrainResult(seconds=waited, left=status.connections, again=held.again)
        time.sleep(min(QUIET_PAUSE if quiet else pause_after(waited), within - waited))


def pause_after(waited: float) -> float:
    """Seconds until the balancer is asked again: most waits are short, and a long one need not be seen to the tenth."""
    return min(PAUSE, max(SHORTEST_PAUSE, waited / 4))


class HealthStatus(StrEnum):
    """Healthy and of the version wanted; healthy but of another; or not healthy."""

    READY = "ready"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthResult:
    """What a host was found to be after `seconds`; `why` in words when it is not ready.

    `flapping` says how a host that is ready came and went before.
    """

    condition: HealthStatus
    version: str
    seconds: float
    why: str = ""
    flapping: str = ""


def await_health(
    ask: Callable[[], HealthCheck], health: Health, wanted: str, meanwhile: Callable[[], None]
) -> HealthResult:
    """Ask until the host is ready (of version `wanted`, "" for any), or the deadline; `meanwhile` once a second."""
    return _check_until(lambda _, seconds: seconds >= health.deadline, ask, health, wanted, meanwhile)


def check_stays_healthy(ask: Callable[[], HealthCheck], health: Health) -> HealthResult:
    """Ask until the host, of any version, has been healthy for long enough, or is not.

    There is no deadline: a host that is healthy and slow to say so would miss it.
    """
    return _check_until(lambda check, _: not check.healthy, ask, health, "", lambda: None)


def _check_until(
    over: Callable[[HealthCheck, float], bool],
    ask: Callable[[], HealthCheck],
    health: Health,
    wanted: str,
    meanwhile: Callable[[], None],
) -> HealthResult:
    """Ask until the host is ready, or `over` says so of the last check and the seconds since the first."""
    began = time.monotonic()
    due = began  # when `meanwhile` is next
    streak = Streak(wanted=wanted, rise=health.rise)
    while True:
        streak = streak.after(ask(), now := time.monotonic())
        ready = streak.ready(now, health.stable_for)
        if ready or over(streak.last, now - began):
            healthy = streak.healthy(now, health.stable_for)
            condition = HealthStatus.READY if ready else HealthStatus.HEALTHY if healthy else HealthStatus.UNHEALTHY
            why = "" if ready else streak.why
            return HealthResult(
                condition=condition,
                version=streak.last.version,
                seconds=now - began,
                why=why,
                flapping=streak.flapping,
            )
        if now >= due:
            meanwhile()
            due = now + HELD_PAUSE
        time.sleep(health.interval)


def soak(ask: Callable[[], HealthCheck], balancer: LoadBalancer, host: HostLike, plan: Update, *, kept: bool) -> str:
    """Watch an updated host for as long as the plan says. Returns why it must not stay, or "" when nothing was seen."""
    until = time.monotonic() + plan.soak
    while True:
        streak = Streak(wanted=plan.version if plan.health.version else "").after(ask(), 0)
        if streak.ready_since is None:
            return streak.why
        status = retry_while_unreachable(lambda: balancer.status(host), contact_timeout=plan.contact_timeout)
        if not (kept or status.serves):
            return "the load balancer does not see it up"
        if time.monotonic() >= until:
            return ""
        time.sleep(min(plan.health.interval, max(0.0, until - time.monotonic())))


def put_back(
    balancer: LoadBalancer, host: HostLike, found: Standing | None, *, within: float, contact_timeout: float
) -> BalancerStatus:
    """Restore it as it was `found`, and wait until the balancer sees it up if it was in: at most `within` seconds.

    Returns how it stands then; `is_restored` says whether that is as it should be. What was put into maintenance
    meanwhile is not waited for.
    """
    began = time.monotonic()
    while True:
        retry_while_unreachable(lambda: balancer.put_back(host, found), contact_timeout=contact_timeout)
        while True:
            status = retry_while_unreachable(lambda: balancer.status(host), contact_timeout=contact_timeout)
            waited = time.monotonic() - began
            if is_restored(status, found) or taken_over(status, found) or waited >= within:
                return status
            time.sleep(pause_after(waited))
            if status.out:
                break


def put_in(balancer: LoadBalancer, host: HostLike, *, within: float, contact_timeout: float) -> BalancerStatus:
    """Give it requests, and wait until the balancer sees it up: at most `within` seconds. Returns how it stands."""
    began = time.monotonic()
    retry_while_unreachable(lambda: balancer.put_in(host), contact_timeout=contact_timeout)
    while True:
        status = retry_while_unreachable(lambda: balancer.status(host), contact_timeout=contact_timeout)
        if status.serves or (waited := time.monotonic() - began) >= within:
            return status
        time.sleep(pause_after(waited))


def is_restored(status: BalancerStatus, found: Standing | None) -> bool:
    """Whether a host stands as it was found; one that was in must also be seen up."""
    return status.standing == found if found and found.out else status.serves


def taken_over(status: BalancerStatus, found: Standing | None) -> str:
    """What something else than this update did to a host that it had drained, in words: put it into maintenance."""
    places = status.standing.places if status.standing else ()
    return ", ".join(
        place.words
        for place in places
        if place.state not in ("ready", "drain", "down", "out")
        and not (found and found.place(place.name).state == place.state)
    )
