"""The servers among which a load balancer distributes requests: what is left of them when a host is taken out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolServer:
    """One server. `share` is how much of its configured weight it gets requests by now: 0 none, 1 all of it.

    `host` is its name in the inventory, "" for a server of no known host. `why`: what keeps its share below 1.
    `out`: it was taken out, by a person or an update.
    """

    name: str
    host: str = ""
    share: float = 1
    backup: bool = False
    why: str = ""
    out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The servers of one backend of one balancer, beside those of the host that is to leave it."""

    name: str
    others: tuple[PoolServer, ...]
