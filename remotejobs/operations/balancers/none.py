"""No load balancer: hosts that get no requests through a balancer that has an interface."""

from __future__ import annotations

from collections.abc import Sequence

from remotejobs.inventory.variables import HostLike
from remotejobs.operations.balancers.balancer import BalancerSettings, BalancerStatus, LoadBalancer, Reach
from remotejobs.operations.balancers.pool import Pool
from remotejobs.operations.balancers.standing import Standing


class NoBalancer(BalancerSettings):
    """Nothing is taken out of anything."""

    def open(self, reach: Reach) -> LoadBalancer:  # noqa: ARG002 - there is nothing to reach
        return _Nothing()


class _Nothing:
    def check(self) -> None:
        """Nothing can be wrong."""

    def take_out(self, host: HostLike) -> None:
        """Nothing to do."""

    def put_back(self, host: HostLike, found: Standing | None = None) -> None:
        """Nothing to do."""

    def put_in(self, host: HostLike) -> None:
        """Nothing to do."""

    def status(self, host: HostLike) -> BalancerStatus:  # noqa: ARG002
        # Nothing is counted because nothing is there, so there is nothing to wait for.
        return BalancerStatus(connections=0)

    def pools(self, host: HostLike, known: Sequence[HostLike]) -> tuple[Pool, ...] | None:  # noqa: ARG002
        return None
