"""A load balancer with a web interface of its own: URLs that remove, add and report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from remotejobs.errors import HostRefused, TimedOut
from remotejobs.inventory.variables import HostLike
from remotejobs.operations.balancers.balancer import BalancerSettings, BalancerStatus, LoadBalancer, Reach
from remotejobs.operations.balancers.pool import Pool
from remotejobs.operations.balancers.standing import READY, Place, Standing
from remotejobs.operations.placeholders import filled
from remotejobs.operations.web import HttpResponse, Regex, fetch
from remotejobs.worded import URL_OR_EMPTY

_Url = Annotated[str, URL_OR_EMPTY]
Method = Literal["GET", "POST", "PUT", "DELETE"]


class HttpBalancer(BalancerSettings):
    """URLs, asked from the controller. `{host}` is the host's name, `{any_variable}` its inventory variable."""

    remove: _Url = Field(default="", description="URL that takes it out: http://lb/api/remove?host={host}")
    add: _Url = Field(default="", description="URL that puts it back: http://lb/api/add?host={host}")
    method: Method = Field(default="POST", description="How the two are asked.")
    status: _Url = Field(default="", description="URL that reports the state of the host; empty: none.")
    inside: Regex = Field(default="", description="Regular expression in the status while the host gets new requests.")
    up: Regex = Field(default="", description="Regular expression in the status while the balancer thinks it healthy.")
    connections: Regex = Field(
        default="", description='Regular expression whose group is the number of connections: "active": (\\d+)'
    )
    timeout: float = Field(default=10, gt=0, description="Seconds for an answer.")

    @classmethod
    def required(cls) -> tuple[str, ...]:
        return "remove", "add"

    def open(self, reach: Reach) -> LoadBalancer:  # noqa: ARG002 - the controller asks
        return _Web(self)


def status_of(settings: HttpBalancer, body: str) -> BalancerStatus:
    """What the status says, by the patterns of the settings; None for what has no pattern."""
    count = re.search(settings.connections, body) if settings.connections else None
    inside = re.search(settings.inside, body) is not None if settings.inside else None
    return BalancerStatus(
        inside=inside,
        up=re.search(settings.up, body) is not None if settings.up else None,
        connections=_number(count[1]) if count and count.re.groups else None,
        standing=None if inside is None else Standing((Place("", READY if inside else "out"),)),
    )


def _number(text: str | None) -> int | None:
    """A group that took no part is None, and not every digit is one of ours."""
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


class _Web:
    def __init__(self, settings: HttpBalancer) -> None:
        self._settings = settings

    def check(self) -> None:
        """Its URLs are per host, so there is nothing to ask once for all."""

    def take_out(self, host: HostLike) -> None:
        self._ask(self._settings.remove, self._settings.method, host)

    def put_back(self, host: HostLike, found: Standing | None = None) -> None:
        if not (found and found.out):
            self.put_in(host)

    def put_in(self, host: HostLike) -> None:
        self._ask(self._settings.add, self._settings.method, host)

    def pools(self, host: HostLike, known: Sequence[HostLike]) -> tuple[Pool, ...] | None:  # noqa: ARG002
        return None

    def status(self, host: HostLike) -> BalancerStatus:
        for url in (self._settings.remove, self._settings.add):
            filled(url, host)  # a missing variable is reported before anything is touched
        if not self._settings.status:
            return BalancerStatus()
        return status_of(self._settings, self._ask(self._settings.status, "GET", host).body)

    def _ask(self, template: str, method: Method, host: HostLike) -> HttpResponse:
        url = filled(template, host)
        answer = fetch(url, method=method, timeout=self._settings.timeout)
        if answer.error:
            raise TimedOut(host.name, f"the load balancer did not answer {method} {url}: {answer.error}")
        if not 200 <= answer.status < 300:
            said = answer.body[:200]
            raise HostRefused(host.name, f"the load balancer answered {method} {url} with {answer.status}: {said}")
        return answer
