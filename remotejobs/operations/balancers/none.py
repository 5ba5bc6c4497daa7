"""No load balancer: hosts that get no requests through a balancer that has an interface."""

from __future__ import annotations

from remotejobs.inventory.variables import HostLike
from remotejobs.operations.balancers.balancer import BalancerSettings, BalancerStatus, LoadBalancer, Reach


class NoBalancer(BalancerSettings):
    """Nothing is taken out of anything."""

    def open(self, reach: Reach) -> LoadBalancer:  # noqa: ARG002 - there is nothing to reach
        return _Nothing()


class _Nothing:
    def take_out(self, host: HostLike) -> None:
        """Nothing to do."""

    def put_back(self, host: HostLike) -> None:
        """Nothing to do."""

    def status(self, host: HostLike) -> BalancerStatus:  # noqa: ARG002
        # Nothing is counted because nothing is there, so there is nothing to wait for.
        return BalancerStatus(connections=0)
