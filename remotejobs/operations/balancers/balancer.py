"""What a rolling update needs of a load balancer. A new kind is one file: its settings, and how they open one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from remotejobs.agent.shell import Shell
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.operations.balancers.pool import Pool
from remotejobs.operations.balancers.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerStatus:
    """Where a host stands in its load balancer, as the balancer reports it now; None where it does not know.

    `inside`: it may get new requests. `partly`: only from some of the balancers that there are, or in some backends.
    `up`: the balancer thinks it healthy. `connections`: how many it serves. `standing`: what to restore.
    """

    inside: bool | None = None
    partly: bool = False
    up: bool | None = None
    connections: int | None = None
    standing: Standing | None = None

    @property
    def out(self) -> bool | None:
        """Whether it was taken out anywhere."""
        return None if self.inside is None else self.partly or not self.inside

    @property
    def serves(self) -> bool:
        """Nothing speaks against requests reaching it."""
        return not self.out and self.up is not False


class LoadBalancer(Protocol):
    """One load balancer. Every method may be repeated without harm, and raises `HostError` or `UsageError`."""

    def check(self) -> None:
        """Raise what would keep every host from being taken out; changes nothing."""

    def take_out(self, host: HostLike) -> None:
        """Give `host` no new requests; those that it serves go on."""

    def put_back(self, host: HostLike, found: Standing | None = None) -> None:
        """Restore `host` as it was `found`; None: give it new requests. What is in maintenance by now stays there."""

    def put_in(self, host: HostLike) -> None:
        """Give `host` new requests, however it stood before: also one in maintenance, or of weight 0."""

    def status(self, host: HostLike) -> BalancerStatus:
        """How `host` stands there now."""

    def pools(self, host: HostLike, known: Sequence[HostLike]) -> tuple[Pool, ...] | None:
        """Every backend that `host` is in, with all its other servers, of which `known` are hosts; None: cannot say."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How a balancer reaches hosts of the inventory by name: a short question, or a job."""

    shell: Callable[[str], Shell]
    jobs: Callable[[str], HostJobs]


class BalancerSettings(BaseModel):
    """Base of the settings of a load balancer; each kind adds its fields, and how to open it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def missing(self) -> str:
        """The fields that must still be filled in, in words; "" when it can be opened."""
        empty = [name for name in self.required() if not getattr(self, name)]
        return " and ".join(empty)

    @classmethod
    def required(cls) -> tuple[str, ...]:
        """The fields that have no sensible default. They are empty in the sections of the other kinds."""
        return ()

    def open(self, reach: Reach) -> LoadBalancer:
        """The balancer that these settings mean; nothing is sent yet."""
        raise NotImplementedError
