"""Whether a host is healthy: one check, and what a series of checks amounts to."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from remotejobs.inventory.variables import HostLike
from remotejobs.operations.placeholders import filled
from remotejobs.operations.rolling.history import word
from remotejobs.operations.rolling.plan import Health
from remotejobs.operations.web import HttpResponse, fetch
from remotejobs.text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One check: `healthy` when status and body are as they must be; `said` is what was wrong."""

    healthy: bool
    version: str = ""
    said: str = ""


def check_health(health: Health, host: HostLike) -> HealthCheck:
    """Ask the host once, from here. `UsageError` when the URL needs a variable that is not set."""
    return judged(health, fetch(filled(health.url, host), timeout=health.timeout))


def judged(health: Health, answer: HttpResponse) -> HealthCheck:
    """What an answer says."""
    if answer.error:
        return HealthCheck(healthy=False, said=f"no answer: {answer.error}")
    found = re.search(health.version, answer.body) if health.version else None
    version = word(found[1] or "") if found else ""
    if answer.status != health.status:
        said = one_line(answer.body)[:100]
        return HealthCheck(
            healthy=False, version=version, said=f"status {answer.status}, wanted {health.status}: {said}"
        )
    if health.body and not re.search(health.body, answer.body):
        return HealthCheck(healthy=False, version=version, said=f"the body does not match {health.body!r}")
    return HealthCheck(healthy=True, version=version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """A series of checks so far. Times are seconds of any clock that does not jump.

    `wanted` is the version, "" for any. `healthy_since`: since when all were healthy; `ready_since`: and of that
    version.
    """

    wanted: str
    healthy_since: float | None = None
    ready_since: float | None = None
    last: HealthCheck = HealthCheck(healthy=False, said="it was not asked")

    def after(self, check: HealthCheck, at: float) -> Streak:
        """The series with one more check, made at `at`."""
        ready = check.healthy and self.wanted in ("", check.version)
        return replace(
            self,
            healthy_since=_since(self.healthy_since, at, holds=check.healthy),
            ready_since=_since(self.ready_since, at, holds=ready),
            last=check,
        )

    def ready(self, at: float, stable_for: float) -> bool:
        """Sound and of the version wanted, for long enough."""
        return self.ready_since is not None and at - self.ready_since >= stable_for

    def healthy(self, at: float, stable_for: float) -> bool:
        """Sound for long enough, whatever its version."""
        return self.healthy_since is not None and at - self.healthy_since >= stable_for

    @property
    def why(self) -> str:
        """What keeps it from being ready, in words."""
        if not self.last.healthy:
            return self.last.said
        if self.ready_since is None:
            return f"it runs version {self.last.version or 'unknown'}, not {self.wanted}"
        return "it was not healthy for long enough"


def _since(since: float | None, at: float, *, holds: bool) -> float | None:
    if not holds:
        return None
    return at if since is None else since
