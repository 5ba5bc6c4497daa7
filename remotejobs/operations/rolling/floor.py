"""How much of a backend is left when a host is taken out of it, and whether that is enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from remotejobs.operations.balancers import Pool, PoolServer
from remotejobs.operations.rolling.budget import Amount, amount_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """What serves in a backend without the host: `share` servers of `of`, and `needed` must.

    A server counts for the share of its configured weight that it gets requests by now. `missing` says why others do
    not count.
    """

    where: str
    share: float
    of: int
    needed: int
    missing: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether there are so many at all."""
        return self.needed <= self.of

    @property
    def enough(self) -> bool:
        return self.share >= self.needed - 1e-9  # shares of thirds add up

    @property
    def words(self) -> str:
        if not self.possible:
            return f"{self.needed} other servers of {self.where} must serve, and there are only {self.of}"
        not_these = f", not {', '.join(self.missing)}" if self.missing else ""
        return f"only {self.share:.3g} of {self.of} other servers of {self.where} serve, {self.needed} must{not_these}"


def reserve(pool: Pool, floor: Amount, ill: Mapping[str, str], full: int = 0) -> Reserve:
    """What `pool` still has. `ill` are hosts that are not healthy for the update itself, with the reason.

    `full`: how many must serve at least, whatever the floor is. Backup servers get requests only when no other server
    does, and then only the first of them that is up.
    """
    judged = [(server, 0.0 if server.host in ill else server.share) for server in pool.others]
    active = [(server, share) for server, share in judged if not server.backup]
    backup = [(server, share) for server, share in judged if server.backup]
    share = sum(share for _, share in active) or next((share for _, share in backup if share), 0.0)
    of = len(active) or min(1, len(backup))
    return Reserve(
        where=pool.name,
        share=share,
        of=of,
        needed=max(full, amount_of(floor, of, round_up=True)),
        missing=tuple(_why(server, ill) for server, share in active or backup if share < 1),
    )


def full_count(pool: Pool, leaving: str, aside: Collection[str]) -> int:
    """How many servers of `pool` serve when all that should do: those that nobody keeps out.

    Hosts `aside` are none of them: spare ones, and those that were out before. Nor is a server out that is no host of
    the update.
    """
    counted = [each for each in pool.others if not (each.backup or each.host in aside or (each.out and not each.host))]
    return len(counted) + (leaving not in aside)


def _why(server: PoolServer, ill: Mapping[str, str]) -> str:
    said = ill.get(server.host) or server.why
    return f"{server.name} ({said})" if said else server.name
