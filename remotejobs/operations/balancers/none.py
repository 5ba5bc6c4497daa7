"""No load balancer: hosts that nobody sends requests to through a balancer that could be told."""

from __future__ import annotations

from remotejobs.inventory.variables import Host
from remotejobs.operations.balancers.balancer import LoadBalancer, Reach, Settings, Standing


class NoBalancer(Settings):
    """Nothing is taken out of anything."""

    def open(self, reach: Reach) -> LoadBalancer:  # noqa: ARG002 - there is nothing to reach
        return _Nothing()


class _Nothing:
    def take_out(self, host: Host) -> None:
        """Nothing to do."""

    def put_back(self, host: Host) -> None:
        """Nothing to do."""

    def standing(self, host: Host) -> Standing:  # noqa: ARG002
        # Nothing is counted because nothing is there, so there is nothing to wait for.
        return Standing(connections=0)
