"""A host of a rolling update with all that is needed to change it, made anew from names in each task run."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.balancers import LoadBalancer, Reach
from remotejobs.become import become_for
from remotejobs.errors import BadUse
from remotejobs.jobs import HostJobs
from remotejobs.rolling import Update
from remotejobs.rolling.health import Sight, look
from remotejobs.shell import Shell
from remotejobs.variables import Host
from tasks.access import Access
from tasks.connections import connections, jobs_on


@dataclass(frozen=True, slots=True)
class Site:
    """One host, its jobs, and the load balancer before it."""

    host: Host
    jobs: HostJobs
    balancer: LoadBalancer
    update: Update

    def look(self) -> Sight:
        """One look at the host's health."""
        return look(self.update.health, self.host)

    @property
    def serves(self) -> bool:
        """Healthy just now, and nothing in the load balancer speaks against it."""
        return self.look().sound and self.balancer.standing(self.host).serves


def site_of(host: str, access: Access, update: Update) -> Site:
    """`BadUse` for a host, or a load balancer's host, that the inventory does not name."""
    jobs = jobs_on(access, host)
    balancer = update.balancer.open(Reach(lambda name: _shell(name, access), lambda name: jobs_on(access, name)))
    return Site(connections().fleet(access).hosts[host], jobs, balancer, update)


def _shell(host: str, access: Access) -> Shell:
    fleet, choice = connections().fleet(access), access.choice()
    if host not in fleet.hosts:
        raise BadUse(f"{host!r} is not a host of {access.inventory}", remedy="Name the load balancer's host as it is.")
    become = become_for(fleet.hosts[host], become=choice.become, user=choice.user, password=choice.password)
    return Shell(fleet.connection(host), become=become)
