"""Load balancers: `Balancing` is what a person writes, `.open(reach)` makes a `LoadBalancer` of it."""

from remotejobs.balancers.balancer import LoadBalancer, Reach, Standing
from remotejobs.balancers.balancing import Balancing
from remotejobs.balancers.command import CommandBalancer
from remotejobs.balancers.haproxy import HaproxyBalancer
from remotejobs.balancers.http import HttpBalancer

__all__ = [
    "Balancing",
    "CommandBalancer",
    "HaproxyBalancer",
    "HttpBalancer",
    "LoadBalancer",
    "Reach",
    "Standing",
]
