"""How a flow reaches its hosts: names only, so that nothing secret and nothing alive is ever a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import PurePath

from prefect.blocks.system import Secret
from pydantic import BaseModel, ConfigDict, Field, field_validator

from remotejobs.errors import BadUse
from remotejobs.fleet import DEFAULT_FORKS, BecomeChoice
from remotejobs.inventory import Host

_EXAMPLE = ("inventories", "example.yml")


class Access(BaseModel):
    """Where the hosts are written down, and as whom to work there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inventory: str = Field(min_length=1, description="Path of the inventory as the worker sees it.")
    forks: int = Field(default=DEFAULT_FORKS, ge=1, description="How many hosts are connected or asked at a time.")
    become: bool = Field(default=False, description="Use sudo, also where the inventory does not say so.")
    become_user: str = Field(default="", description="User to become; empty: as the inventory says, or root.")
    become_password_block: str = Field(
        default="", description="Name of the Secret block with sudo's password; empty: none, or as the inventory says."
    )
    ssh_password_block: str = Field(
        default="", description="Name of the Secret block with the SSH password; empty: keys, or as the inventory says."
    )

    @field_validator("inventory")
    @classmethod
    def _not_the_manual(cls, path: str) -> str:
        # The deployments name it until somebody names his own: their schedules would wait in vain for its hosts, which
        # do not exist, and say "unreachable" of each.
        if PurePath(path).parts[-2:] == _EXAMPLE:
            raise ValueError(
                f"{path} is only an example, and its hosts do not exist: copy it, and name the copy "
                "as access.inventory in prefect.yaml or in the run form"
            )
        return path

    def choice(self) -> BecomeChoice:
        """How to become, with the password looked up. `BadUse` when its block cannot be read."""
        return BecomeChoice(
            become=True if self.become else None,
            user=self.become_user or None,
            password=_password(self.become_password_block) if self.become_password_block else None,
        )

    def reach(self, hosts: Iterable[Host]) -> list[Host]:
        """The same hosts, with the password that opens them looked up. `BadUse` when its block cannot be read."""
        if not self.ssh_password_block:
            return list(hosts)
        password = {"ansible_ssh_password": _password(self.ssh_password_block)}
        return [replace(host, variables={**host.variables, **password}) for host in hosts]


@cache
def _password(block: str) -> str:
    """Asked once in a process: each poll would be a question to Prefect's API otherwise."""
    try:
        loaded = Secret.load(block)
    except ValueError as exc:
        raise BadUse(f"the Secret block {block!r} cannot be read: {exc}", remedy="Create it under Blocks.") from exc
    value: object = loaded.get() if isinstance(loaded, Secret) else None
    if not isinstance(value, str):
        raise BadUse(f"the Secret block {block!r} does not hold text", remedy="Store the password as text.")
    return value
