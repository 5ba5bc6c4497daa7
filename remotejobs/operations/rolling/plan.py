"""What a rolling update does, as a person writes it in prefect.yaml or in the run form. Descriptions are the manual."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from remotejobs.jobs.command_text import Command
from remotejobs.operations.balancers import Balancing
from remotejobs.operations.batches import Serial
from remotejobs.operations.rolling.budget import Amount, Budget, amount_of
from remotejobs.operations.rolling.health_plan import Health
from remotejobs.renamed import allow_old_names, renamed_fields
from remotejobs.worded import Worded

FoundOut = Literal["leave", "update", "refuse"]
RevertWhat = Literal["nothing", "failed", "updated"]
_VERSION = Worded(r"[!-+\--~]+", "one word of ASCII without a comma")

__all__ = ["FoundOut", "Health", "RevertWhat", "Update"]


class Update(BaseModel):
    """What to deploy, in which batches, when to stop, and what to revert then."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=allow_old_names)
    _old_names: ClassVar[object] = renamed_fields(limit="timeout", patience="contact_timeout")

    version: Annotated[str, _VERSION] = Field(
        min_length=1, max_length=60, description="Version to deploy: 2.0.1. One word, no comma."
    )
    deploy: Command = Field(
        min_length=1,
        description='Shell command, run on each host as a job: /opt/deploy/update.sh "$VERSION". '
        "In its environment VERSION is the version wanted, PREVIOUS_VERSION the one before.",
    )
    serial: Serial = Field(
        default=1,
        description='Hosts in a batch, as in Ansible: 1, "25%", or a list whose last one repeats: [1, "50%"].',
    )
    canary: int | str = Field(default=0, description="Hosts that go first, alone: 1 or 10%. None of them may fail.")
    spare: str = Field(
        default="",
        description="Those of the hosts that stand by, out of the balancer, as a pattern: web9. They are updated and "
        "put in before any other host leaves, so that never fewer serve, and taken out again at the end. Empty: none.",
    )
    soak: float = Field(default=60, ge=0, description="Seconds that the canaries must then stay healthy under load.")
    budget: Budget = Field(default=Budget(), description="How many hosts may fail; one more stops the update.")
    revert: RevertWhat = Field(
        default="failed", description="What is reverted when it is stopped: nothing, the failed hosts, or all updated."
    )
    revert_command: Command = Field(
        default="", description="Command that reverts a host; empty: the deploy command, with the version before."
    )
    floor: int | str = Field(
        default="50%",
        description="How many of the other servers must serve when a host is taken out: 2 or 50% (rounded up).",
    )
    floor_of: Literal["backend", "hosts"] = Field(
        default="backend",
        description="What that counts: every other server of the balancer's backend, or only the hosts of this update.",
    )
    found_out: FoundOut = Field(
        default="leave",
        description="What to do with a host that gets no requests before the update (maint, drain, weight 0): leave it "
        "as it is, update it without putting it in, or refuse the whole update.",
    )
    floor_wait: float = Field(default=300, ge=0, description="Seconds to wait for that before the host has failed.")
    timeout: int = Field(default=600, ge=1, description="Seconds after which a deployment is ended; it then failed.")
    drain: float = Field(
        default=60,
        ge=0,
        description="Seconds to wait until its connections have ended; after that it is deployed to all the same.",
    )
    up_within: float = Field(
        default=60, gt=0, description="Seconds in which the balancer must see a host up that was put back."
    )
    contact_timeout: float = Field(
        default=120, ge=0, description="Seconds without contact after which a host counts as unreachable, and failed."
    )
    health: Health = Field(description="When a host is healthy.")
    balancer: Balancing = Field(default=Balancing(), description="The load balancer before the hosts.")

    @field_validator("canary", "floor")
    @classmethod
    def _amount(cls, amount: Amount) -> Amount:
        amount_of(amount, 1)
        return amount

    @model_validator(mode="after")
    def _floor_can_be_seen(self) -> Update:
        if self.floor_of == "backend" and not self.balancer.shows_pools and amount_of(self.floor, 100):
            raise ValueError(
                f"floor: a balancer of the kind {self.balancer.kind} does not report the servers of its backend; set "
                "floor_of to hosts if the hosts of this update are all of them, or floor to 0"
            )
        return self

    @model_validator(mode="after")
    def _spares_are_in_a_balancer(self) -> Update:
        if self.spare and self.balancer.kind == "none":
            raise ValueError("spare: without a balancer no host can be put in before another one leaves")
        return self

    @model_validator(mode="after")
    def _can_be_reverted(self) -> Update:
        if self.revert != "nothing" and not (self.health.version or self.revert_command):
            raise ValueError(
                "revert: which version ran before is not known without health.version; set that, or revert_command, "
                "or revert nothing"
            )
        return self
