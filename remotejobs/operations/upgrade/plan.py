"""What an upgrade of a fleet does, as a person writes it in prefect.yaml or in the run form."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from remotejobs.operations.batches import Serial
from remotejobs.operations.reboot import Reboot
from remotejobs.renamed import allow_old_names, renamed_fields


class Upgrade(BaseModel):
    """Which packages to upgrade, how retry_while_unreachable, in which batches, and whether to reboot."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=allow_old_names)
    _old_names: ClassVar[object] = renamed_fields(prepare_limit="prepare_timeout", patience="install_timeout")

    manager: Literal["auto", "apt", "dnf"] = Field(
        default="auto", description="Package manager of the hosts; auto: the one that is there."
    )
    packages: list[str] = Field(default=[], description="Only these packages, where they are installed; empty: all.")
    dist: bool = Field(
        default=True, description="apt: also what needs packages added or removed, a new kernel for example."
    )
    lock_timeout: int = Field(
        default=600, ge=0, description="Seconds to wait while another program holds the package manager's lock."
    )
    prepare_timeout: int = Field(
        default=3600, ge=1, description="Seconds for lists and downloads, after which that step is ended."
    )
    install_timeout: int = Field(
        default=7200,
        ge=1,
        description="Seconds after which an installation that goes on counts as failed. It is not ended: "
        "a package manager that is broken off leaves a broken host.",
    )
    serial: Serial = Field(
        default="25%",
        description="How many hosts at a time: 2, 25%, or a list such as [1, 25%], whose last element repeats.",
    )
    reboot: Literal["if_needed", "never"] = Field(
        default="if_needed", description="Reboot a host that says it needs it, before the next batch begins."
    )
    rebooting: Reboot = Field(default=Reboot(), description="How to reboot, and how long to wait for it.")

    @field_validator("packages")
    @classmethod
    def _are_names(cls, packages: list[str]) -> list[str]:
        for name in packages:
            if not name or name.startswith("-") or name.split() != [name]:
                raise ValueError(f"{name!r} is not the name of a package")
        return packages
