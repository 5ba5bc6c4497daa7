"""The commands of a migration and their timeouts, as written in the run form. Descriptions are the manual."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from remotejobs.errors import InvalidJob
from remotejobs.jobs.command_text import Command
from remotejobs.model import LONGEST_GRACE, Job
from remotejobs.operations.migration.observed import MigrationStep
from remotejobs.worded import ABSOLUTE_PATH_OR_EMPTY, Worded

_ONE_LINE = Worded(r"[^\n\r\x00]*", "one line")

Order = Literal["together", "one_by_one"]


class Commands(BaseModel):
    """Shell commands, of one or more lines; each runs detached on every host.

    Each is a yes or no: 0 says yes, anything else says no.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    migrate: Command = Field(min_length=1, description="Changes the data.", json_schema_extra={"position": 0})
    verify: Command = Field(
        default="",
        description="Says whether the data are as they should be; it changes nothing. Without it, success means only "
        "that migrate ended with 0.",
        json_schema_extra={"position": 1},
    )
    rollback: Command = Field(
        default="",
        description="Undoes what migrate did, in whole or in part. It runs only when migrate and all its processes "
        "are proven dead. Without it nothing can be undone.",
        json_schema_extra={"position": 2},
    )
    verify_rollback: Command = Field(
        default="",
        description="Says whether the data are as before; it changes nothing.",
        json_schema_extra={"position": 3},
    )
    prepare_rollback: Command = Field(
        default="",
        description="Gets ready what rollback needs, at the same time as migrate. When it fails, no rollback is run.",
        json_schema_extra={"position": 4},
    )
    stop: Command = Field(
        default="",
        description="Ends what a daemon does for migrate (docker stop, systemctl stop), before rollback. It may find "
        "nothing to end.",
        json_schema_extra={"position": 5},
    )
    verify_stop: Command = Field(
        default="",
        description="Says whether nothing is at work for migrate any more; otherwise no rollback is run. Without it "
        "stop has to end with 0.",
        json_schema_extra={"position": 6},
    )

    before: Command = Field(
        default="",
        description="Runs under the lock before migrate begins on any host, to fetch what it needs or to stop an "
        "application. Unless it ends with 0 everywhere, nothing is migrated. What it did is not undone.",
        json_schema_extra={"position": 7},
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        description="Added to the environment of each. Nothing secret: parameters are shown in the UI.",
        json_schema_extra={"position": 8},
    )
    chdir: Annotated[str, ABSOLUTE_PATH_OR_EMPTY] = Field(
        default="",
        description="Directory to run each in, an absolute path; empty for the user's home.",
        json_schema_extra={"position": 9},
    )

    @model_validator(mode="after")
    def _can_be_set(self) -> Self:
        try:
            Job(jid="form", cmd="true", env=self.env, chdir=self.chdir)
        except InvalidJob as exc:
            raise ValueError(str(exc).removeprefix("job form: ")) from exc
        return self

    def of(self, step: MigrationStep) -> str:
        """The command of `step`; "" when there is none."""
        return str(getattr(self, step))

    @property
    def steps(self) -> frozenset[MigrationStep]:
        """The steps that have a command."""
        return frozenset(step for step in MigrationStep if self.of(step).strip())


class Timeouts(BaseModel):
    """Seconds after which a host ends a command with all its processes; the step has failed then."""

    # So the form has no second field that is called Migrate.
    model_config = ConfigDict(frozen=True, extra="forbid", field_title_generator=lambda name, _: f"Seconds for {name}")

    before: int = Field(default=600, ge=1, description="Seconds for before.")
    migrate: int = Field(default=3600, ge=1, description="Seconds for migrate.")
    verify: int = Field(default=600, ge=1, description="Seconds for verify.")
    stop: int = Field(default=600, ge=1, description="Seconds for stop.")
    verify_stop: int = Field(default=600, ge=1, description="Seconds for verify_stop.")
    rollback: int = Field(default=3600, ge=1, description="Seconds for rollback.")
    verify_rollback: int = Field(default=600, ge=1, description="Seconds for verify_rollback.")
    prepare_rollback: int = Field(default=3600, ge=1, description="Seconds for prepare_rollback.")
    grace: int = Field(default=10, ge=0, le=LONGEST_GRACE, description="Seconds between TERM and KILL.")

    def of(self, step: MigrationStep) -> int:
        return int(getattr(self, step))


class FreeSpace(BaseModel):
    """Space that must be free on every host before anything begins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_free_mib: int = Field(default=512, ge=0, description="MiB that must be free.")
    path: Annotated[str, _ONE_LINE] = Field(
        default="",
        description="Where they must be free, a path on the host; empty: in the home directory.",
    )
