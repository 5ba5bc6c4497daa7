"""A host of a rolling update with all that is needed to change it, made anew from names in each task run."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.operations.balancers import LoadBalancer, Reach
from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.health import HealthCheck, RunOnHost, check_health
from remotejobs.operations.rolling.host_command import command_on
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import host_of, jobs_on, shell_of


@dataclass(frozen=True, slots=True)
class ManagedHost:
    """One host, its jobs, and the load balancer before it."""

    host: HostLike
    jobs: HostJobs
    balancer: LoadBalancer
    update: Update
    run: RunOnHost

    def check_health(self) -> HealthCheck:
        """Check the host's health once."""
        return check_health(self.update.health, self.host, self.run)


def managed_host(host: str, access: Access, update: Update) -> ManagedHost:
    """`UsageError` for a host, or a load balancer's host, that the inventory does not name."""
    jobs = jobs_on(access, host)
    balancer = update.balancer.open(Reach(lambda name: shell_of(access, name), lambda name: jobs_on(access, name)))
    return ManagedHost(host_of(access, host), jobs, balancer, update, command_on(shell_of(access, host)))
