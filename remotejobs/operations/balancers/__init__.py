"""Load balancers: `Balancing` is what a person writes, `.open(reach)` makes a `LoadBalancer` of it."""

from remotejobs.operations.balancers.balancer import BalancerStatus, LoadBalancer, Reach
from remotejobs.operations.balancers.balancing import Balancing
from remotejobs.operations.balancers.command import CommandBalancer
from remotejobs.operations.balancers.haproxy import HaproxyBalancer
from remotejobs.operations.balancers.http import HttpBalancer
from remotejobs.operations.balancers.nginx import NginxBalancer
from remotejobs.operations.balancers.pool import Pool, PoolServer
from remotejobs.operations.balancers.standing import Place, Standing, standing_in

__all__ = [
    "BalancerStatus",
    "Balancing",
    "CommandBalancer",
    "HaproxyBalancer",
    "HttpBalancer",
    "LoadBalancer",
    "NginxBalancer",
    "Place",
    "Pool",
    "PoolServer",
    "Reach",
    "Standing",
    "standing_in",
]
