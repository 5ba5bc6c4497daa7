"""Whether a host is healthy: one check, and what a series of checks amounts to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from remotejobs.inventory.variables import HostLike
from remotejobs.operations.placeholders import filled
from remotejobs.operations.rolling.health_plan import FurtherCheck, Health, HttpQuestion
from remotejobs.operations.rolling.history import word
from remotejobs.operations.web import HttpResponse, Tls, accepts, fetch
from remotejobs.text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One check: `healthy` when status and body are as they must be; `said` is what was wrong."""

    healthy: bool
    version: str = ""
    said: str = ""


RunOnHost = Callable[[str, float], str]  # runs a command for at most so many seconds: "" for rc 0, or what was wrong


def check_health(health: Health, host: HostLike, run: RunOnHost) -> HealthCheck:
    """Ask the host once, from here and by `run` over there. The first check that fails says what is wrong.

    `UsageError` when the URL needs a variable that is not set.
    """
    check = judged(health, _asked(health, host, health.timeout))
    for further in health.also if check.healthy else ():
        if said := _wrong(further, host, run, health.timeout):
            return replace(check, healthy=False, said=said)
    return check


def judged(health: Health, answer: HttpResponse) -> HealthCheck:
    """What an answer says."""
    if answer.error:
        return HealthCheck(healthy=False, said=f"no answer: {answer.error}")
    found = re.search(health.version, answer.body) if health.version else None
    said = _wrong_in(health, answer)
    return HealthCheck(healthy=not said, version=word(found[1] or "") if found else "", said=said)


def _wrong_in(question: HttpQuestion, answer: HttpResponse) -> str:
    if answer.error:
        return f"no answer: {answer.error}"
    if answer.status != question.status:
        return f"status {answer.status}, wanted {question.status}: {one_line(answer.body)[:100]}"
    if question.body and not re.search(question.body, answer.body):
        return f"the body does not match {question.body!r}"
    return ""


def _asked(question: HttpQuestion, host: HostLike, timeout: float) -> HttpResponse:
    headers = {name: filled(value, host) for name, value in question.headers.items()}
    tls = Tls(server_name=filled(question.server_name, host), ca_file=question.ca_file)
    return fetch(filled(question.url, host), timeout=timeout, headers=headers, tls=tls)


def _wrong(check: FurtherCheck, host: HostLike, run: RunOnHost, timeout: float) -> str:
    """What is wrong, with the name of the check; "" when it is passed."""
    if check.http:
        said = _wrong_in(check.http, _asked(check.http, host, timeout))
        return said and f"{filled(check.http.url, host)}: {said}"
    if check.tcp:
        address = filled(check.tcp, host)
        said = accepts(address, timeout=timeout)
        return said and f"tcp {address}: {said}"
    said = run(check.command, timeout)
    return said and f"`{one_line(check.command)[:60]}`: {said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """A series of checks so far. Times are seconds of any clock that does not jump.

    `wanted` is the version, "" for any. `healthy_since`: since when all were healthy; `ready_since`: and of that
    version. `healthy_checks` and `ready_checks` count them. `flaps` is how often a host that had been healthy was not.
    """

    wanted: str
    rise: int = 1
    healthy_checks: int = 0
    ready_checks: int = 0
    flaps: int = 0
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
            healthy_checks=self.healthy_checks + 1 if check.healthy else 0,
            ready_checks=self.ready_checks + 1 if ready else 0,
            flaps=self.flaps + (self.last.healthy and not check.healthy),
            last=check,
        )

    def ready(self, at: float, stable_for: float) -> bool:
        """Sound and of the version wanted, for long enough."""
        return self.ready_since is not None and at - self.ready_since >= stable_for and self.ready_checks >= self.rise

    def healthy(self, at: float, stable_for: float) -> bool:
        """Sound for long enough, whatever its version."""
        return (
            self.healthy_since is not None
            and at - self.healthy_since >= stable_for
            and self.healthy_checks >= self.rise
        )

    @property
    def why(self) -> str:
        """What keeps it from being ready, in words."""
        return f"{self._why}{f'; {self.flapping}' if self.flaps else ''}"

    @property
    def _why(self) -> str:
        if not self.last.healthy:
            return self.last.said
        if self.ready_since is None:
            return f"it runs version {self.last.version or 'unknown'}, not {self.wanted}"
        return "it was not healthy for long enough"

    @property
    def flapping(self) -> str:
        """How it came and went, in words; "" for a host that was not unhealthy again."""
        times = "once" if self.flaps == 1 else f"{self.flaps} times"
        return f"it is flapping: healthy, and not any more, {times}" if self.flaps else ""


def _since(since: float | None, at: float, *, holds: bool) -> float | None:
    if not holds:
        return None
    return at if since is None else since
