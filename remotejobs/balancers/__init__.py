"""Load balancers: `BalancerSettings` is what a person writes, `.open(reach)` makes a `LoadBalancer` of it."""

from typing import Annotated

from pydantic import Field

from remotejobs.balancers.balancer import LoadBalancer, Reach, Standing
from remotejobs.balancers.command import CommandBalancer
from remotejobs.balancers.haproxy import HaproxyBalancer
from remotejobs.balancers.http import HttpBalancer
from remotejobs.balancers.none import NoBalancer

BalancerSettings = Annotated[HaproxyBalancer | HttpBalancer | CommandBalancer | NoBalancer, Field(discriminator="kind")]

__all__ = [
    "BalancerSettings",
    "CommandBalancer",
    "HaproxyBalancer",
    "HttpBalancer",
    "LoadBalancer",
    "NoBalancer",
    "Reach",
    "Standing",
]
