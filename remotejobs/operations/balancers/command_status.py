"""What a status command prints of a load balancer: a line for each server of the backend."""

from __future__ import annotations

import re
from dataclasses import dataclass

_INSIDE = "in"
_FLAGS = frozenset({"up", "down", "backup"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedServer:
    """One server. `state` is `in` or the balancer's word for why not; `connections` and `up` are None where unknown."""

    name: str
    state: str
    connections: int | None = None
    up: bool | None = None
    backup: bool = False

    @property
    def inside(self) -> bool:
        return self.state == _INSIDE

    @property
    def why(self) -> str:
        """Why it gets no requests; "" when it does."""
        if not self.inside:
            return self.state
        return "down" if self.up is False else ""


def reported(text: str) -> tuple[ReportedServer, ...]:
    """The servers in the lines `NAME STATE [CONNECTIONS] [up|down] [backup]`; `ValueError` quotes another line."""
    return tuple(_server(line) for line in text.splitlines() if line.strip())


def _server(line: str) -> ReportedServer:
    name, state, *others = [*line.split(), "", ""][: max(2, len(line.split()))]
    count, *flags = others if others and others[0] not in _FLAGS else ["-", *others]
    unknown = count == "-"
    if not (state and (unknown or re.fullmatch(r"\d{1,9}", count, re.ASCII)) and _FLAGS.issuperset(flags)):
        raise ValueError(repr(line[:200]))
    return ReportedServer(
        name=name,
        state=state,
        connections=None if unknown else int(count),
        up=True if "up" in flags else False if "down" in flags else None,
        backup="backup" in flags,
    )
