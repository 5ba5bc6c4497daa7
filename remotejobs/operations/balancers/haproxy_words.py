"""HAProxy's runtime API in words: which line to say, and what the answer means. Nothing here talks to a balancer."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from remotejobs.operations.balancers.balancer import BalancerStatus
from remotejobs.operations.balancers.pool import Pool, PoolServer
from remotejobs.operations.balancers.standing import READY, Place, Standing

# Statistics hide that a server drains while its checks fail; the servers' state has it as a bit, but no connections.
QUERY = "show stat -1 4 -1;show servers state"

# Bits of srv_admin_state. That haproxy.cfg says `disabled` (0x04) keeps nobody out by itself: `state ready` leaves it.
_MAINT = 0x01 | 0x02 | 0x20
_DRAIN = 0x08 | 0x10
_NO_ADDRESS = 0x20
_AGENT_ENABLED = 0x04  # of srv_agent_state

MAINT = "maint"
DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class HaproxyServer:
    """One server of one backend: its `status` in HAProxy's words, its administrative `state`, and its connections.

    `weight` is the effective one, after slow start and agent; `user_weight` what was set last, by a person or an
    agent; `configured` the one in haproxy.cfg.
    """

    backend: str
    name: str
    status: str
    state: str = READY
    connections: int = 0
    weight: int = 1
    user_weight: int = 1
    configured: int = 1
    backup: bool = False
    agent: bool = False
    resolved: bool = True

    @property
    def up(self) -> bool:
        return self.status.startswith(("UP", "no check"))

    @property
    def inside(self) -> bool:
        """It may get new requests. A server of weight 0 gets none, though HAProxy calls it UP and ready."""
        return self.state == READY and self.weight > 0

    @property
    def path(self) -> str:
        return f"{self.backend}/{self.name}"

    @property
    def share(self) -> float:
        """How much of its configured weight it gets requests by now."""
        if not (self.inside and self.up):
            return 0
        return min(1, self.weight / max(1, self.configured))

    @property
    def why(self) -> str:
        """What keeps its share below 1."""
        if not self.inside:
            return self.place("").words
        if not self.up:
            return self.status
        return f"weight {self.weight} of {self.configured}" if self.share < 1 else ""

    def place(self, prefix: str) -> Place:
        """How it stands, to be restored; weight 0 is always named. `prefix` names the balancer of a pair."""
        as_configured = self.user_weight == self.configured != 0
        return Place(f"{prefix}{self.path}", self.state, None if as_configured else self.user_weight)


def parse(answer: str) -> tuple[HaproxyServer, ...]:
    """The servers in the answer to `QUERY`; `ValueError` when it is not understood."""
    lines = answer.splitlines()
    try:
        stats, states = _statistics(lines), _states(lines)
        return _servers(stats, states, answer)
    except (LookupError, TypeError, AttributeError, csv.Error) as exc:
        raise ValueError(f"{exc!r} in {answer.strip()[:200]!r}") from exc


def _servers(
    stats: Mapping[tuple[str, str], Mapping[str, str]],
    states: Mapping[tuple[str, str], Mapping[str, str]],
    answer: str,
) -> tuple[HaproxyServer, ...]:
    if not stats or set(stats) - set(states):
        raise ValueError(answer.strip()[:200] or "it is empty")
    return tuple(_server(backend, name, row, states[backend, name]) for (backend, name), row in stats.items())


def _server(backend: str, name: str, row: Mapping[str, str], there: Mapping[str, str]) -> HaproxyServer:
    admin = int(there["srv_admin_state"])
    return HaproxyServer(
        backend=backend,
        name=name,
        status=row["status"],
        state=MAINT if admin & _MAINT else DRAIN if admin & _DRAIN else READY,
        connections=int(row["scur"] or 0) + int(row["qcur"] or 0),
        weight=int(row["weight"]),
        user_weight=int(there["srv_uweight"]),
        configured=int(there["srv_iweight"]),
        backup=row["bck"] == "1",
        agent=bool(int(there["srv_agent_state"]) & _AGENT_ENABLED),
        resolved=not admin & _NO_ADDRESS,
    )


def _statistics(lines: Sequence[str]) -> dict[tuple[str, str], dict[str, str]]:
    starts = [at for at, line in enumerate(lines) if line.startswith("# pxname,")]
    if not starts:
        return {}
    block = lines[starts[0] :]
    end = block.index("") if "" in block else len(block)
    rows = csv.DictReader([block[0].removeprefix("# "), *block[1:end]])
    return {(row["pxname"], row["svname"]): row for row in rows}


def _states(lines: Sequence[str]) -> dict[tuple[str, str], dict[str, str]]:
    states: dict[tuple[str, str], dict[str, str]] = {}
    columns: list[str] = []
    for line in lines:
        if line.startswith("# be_id "):
            columns = line.removeprefix("# ").split()
        elif columns and line:
            row = dict(zip(columns, line.split(), strict=True))  # one that was cut off would say another number
            states[row["be_name"], row["srv_name"]] = row
    return states


def chosen(servers: Iterable[HaproxyServer], name: str, backend: str = "") -> tuple[HaproxyServer, ...]:
    """The servers called `name` in `backend`, or in every backend when that is empty."""
    return tuple(server for server in servers if server.name == name and backend in ("", server.backend))


def status_of(servers: Sequence[tuple[str, HaproxyServer]]) -> BalancerStatus:
    """A host is inside when any of its servers is, up when all are, and serves what all serve together.

    Each server comes with the prefix of its balancer in a pair.
    """
    inside = [server.inside for _, server in servers]
    return BalancerStatus(
        inside=any(inside),
        partly=any(inside) and not all(inside),
        up=all(server.up for _, server in servers),
        connections=sum(server.connections for _, server in servers),
        standing=Standing(tuple(server.place(prefix) for prefix, server in servers)),
    )


def pools_of(
    there: Sequence[HaproxyServer], own: Sequence[HaproxyServer], named: Mapping[str, str], where: str
) -> tuple[Pool, ...]:
    """The backends of the host's `own` servers, with their other servers; `named` are hosts by the names of servers.

    A server that HAProxy has no address for is a free slot, and none of them.
    """
    mine = {server.path for server in own}
    return tuple(
        Pool(
            name=f"{backend} on {where}",
            others=tuple(
                PoolServer(
                    name=server.name,
                    host=named.get(server.name, ""),
                    share=server.share,
                    backup=server.backup,
                    why=server.why,
                    out=not server.inside,
                )
                for server in there
                if server.backend == backend and server.path not in mine and server.resolved
            ),
        )
        for backend in dict.fromkeys(server.backend for server in own)
    )


def draining(servers: Iterable[HaproxyServer]) -> str:
    """The line that drains those of `servers` that are ready; its answer is blank. "" when none is.

    One in maintenance is left there: `state drain` would bring it out of that, and give it requests of sessions.
    """
    return ";".join(f"set server {server.path} state drain" for server in servers if server.state == READY)


def restoring(servers: Iterable[HaproxyServer], found: Standing | None, prefix: str = "") -> str:
    """The line that brings `servers` where they were `found`; its answer is blank. "" when they are there.

    One that is in maintenance now was put there by something else than this update, which only drains, and stays there.
    A weight is set where it is the configured one again, as after a reload; an agent sets it itself.
    """
    said: list[str] = []
    for server in servers:
        was = found.place(f"{prefix}{server.path}") if found else Place("", READY)
        if was.weight is not None and server.user_weight == server.configured != was.weight and not server.agent:
            said.append(f"set server {server.path} weight {was.weight}")
        if was.state != server.state and server.state != MAINT:
            said.append(f"set server {server.path} state {was.state}")
    return ";".join(said)


def readying(servers: Iterable[HaproxyServer]) -> str:
    """The line that gives `servers` requests, whatever kept them from it; its answer is blank. "" when they get them.

    One of weight 0 gets its configured weight.
    """
    said: list[str] = []
    for server in servers:
        if server.user_weight == 0:
            said.append(f"set server {server.path} weight 100%")
        if server.state != READY:
            said.append(f"set server {server.path} state ready")
    return ";".join(said)
