"""Which load balancer there is. A section for each kind, because the run form cannot show a choice of sections."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from remotejobs.operations.balancers.balancer import BalancerSettings, LoadBalancer, Reach
from remotejobs.operations.balancers.command import CommandBalancer
from remotejobs.operations.balancers.haproxy import HaproxyBalancer
from remotejobs.operations.balancers.http import HttpBalancer
from remotejobs.operations.balancers.nginx import NginxBalancer
from remotejobs.operations.balancers.none import NoBalancer


class Balancing(BaseModel):
    """The load balancer before the hosts; only the section of its kind counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["none", "haproxy", "nginx", "http", "command"] = Field(
        default="none", description="What it is; its section must be filled in then."
    )
    haproxy: HaproxyBalancer = Field(default=HaproxyBalancer(), description="HAProxy, by its admin socket.")
    nginx: NginxBalancer = Field(default=NginxBalancer(), description="nginx, by its file and a reload.")
    http: HttpBalancer = Field(default=HttpBalancer(), description="One with a web interface of its own.")
    command: CommandBalancer = Field(default=CommandBalancer(), description="Any other, by commands.")

    @model_validator(mode="after")
    def _filled_in(self) -> Balancing:
        if missing := self._chosen.missing():
            raise ValueError(f"{self.kind} needs {missing}")
        return self

    @property
    def _chosen(self) -> BalancerSettings:
        sections: dict[str, BalancerSettings] = {
            "haproxy": self.haproxy,
            "nginx": self.nginx,
            "http": self.http,
            "command": self.command,
        }
        return sections.get(self.kind, NoBalancer())

    @property
    def shows_pools(self) -> bool:
        """Whether it reports the other servers of a host's backend; where there is no balancer, none are asked for."""
        return self.kind in ("none", "haproxy", "nginx") or (self.kind == "command" and bool(self.command.status))

    def open(self, reach: Reach) -> LoadBalancer:
        """The balancer that this means; nothing is sent yet."""
        return self._chosen.open(reach)
