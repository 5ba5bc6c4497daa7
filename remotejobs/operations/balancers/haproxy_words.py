"""HAProxy's runtime API in words: which line to say, and what the answer means. Nothing here talks to a balancer."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from remotejobs.operations.balancers.balancer import BalancerStatus

# Statistics hide that a server drains while its checks fail; the servers' state has it as a bit, but no connections.
QUERY = "show stat -1 4 -1;show servers state"

_NOT_READY = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20  # srv_admin_state: any reason to be in maintenance or to drain


@dataclass(frozen=True, slots=True)
class HaproxyServer:
    """One server of one backend: its `status` in HAProxy's words, whether it is `ready`, and its connections."""

    backend: str
    name: str
    status: str
    ready: bool
    connections: int

    @property
    def up(self) -> bool:
        return self.status.startswith(("UP", "no check"))


def parse(answer: str) -> tuple[HaproxyServer, ...]:
    """The servers in the answer to `QUERY`; `ValueError` when it is not understood."""
    lines = answer.splitlines()
    try:
        stats, states = _statistics(lines), _admin_states(lines)
        return _servers(stats, states, answer)
    except (LookupError, TypeError, AttributeError, csv.Error) as exc:
        raise ValueError(f"{exc!r} in {answer.strip()[:200]!r}") from exc


def _servers(
    stats: Mapping[tuple[str, str], Mapping[str, str]], states: Mapping[tuple[str, str], int], answer: str
) -> tuple[HaproxyServer, ...]:
    if not stats or set(stats) - set(states):
        raise ValueError(answer.strip()[:200] or "it is empty")
    return tuple(
        HaproxyServer(
            backend=backend,
            name=name,
            status=row["status"],
            ready=not states[backend, name] & _NOT_READY,
            connections=int(row["scur"] or 0) + int(row["qcur"] or 0),
        )
        for (backend, name), row in stats.items()
    )


def _statistics(lines: Sequence[str]) -> dict[tuple[str, str], dict[str, str]]:
    starts = [at for at, line in enumerate(lines) if line.startswith("# pxname,")]
    if not starts:
        return {}
    block = lines[starts[0] :]
    end = block.index("") if "" in block else len(block)
    rows = csv.DictReader([block[0].removeprefix("# "), *block[1:end]])
    return {(row["pxname"], row["svname"]): row for row in rows}


def _admin_states(lines: Sequence[str]) -> dict[tuple[str, str], int]:
    states: dict[tuple[str, str], int] = {}
    columns: list[str] = []
    for line in lines:
        if line.startswith("# be_id "):
            columns = line.removeprefix("# ").split()
        elif columns and line:
            row = dict(zip(columns, line.split(), strict=True))  # one that was cut off would say another number
            states[row["be_name"], row["srv_name"]] = int(row["srv_admin_state"])
    return states


def chosen(servers: Iterable[HaproxyServer], name: str, backend: str = "") -> tuple[HaproxyServer, ...]:
    """The servers called `name` in `backend`, or in every backend when that is empty."""
    return tuple(server for server in servers if server.name == name and backend in ("", server.backend))


def status_of(servers: Sequence[HaproxyServer]) -> BalancerStatus:
    """A host is inside when any of its servers is, up when all are, and serves what all serve together."""
    inside = [server.ready for server in servers]
    return BalancerStatus(
        inside=any(inside),
        partly=any(inside) and not all(inside),
        up=all(server.up for server in servers),
        connections=sum(server.connections for server in servers),
    )


def set_state(servers: Iterable[HaproxyServer], state: Literal["drain", "ready"]) -> str:
    """The line that brings all of `servers` into `state`; its answer is blank."""
    return ";".join(f"set server {server.backend}/{server.name} state {state}" for server in servers)
