"""What all parts of a plan are made of: names, lines, places, and how long backups are kept."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from remotejobs.renamed import allow_old_names, renamed_fields
from remotejobs.short_form import ShortForm
from remotejobs.worded import Worded

_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,59}"
_NAMED = "a name of up to 60 letters, digits, dots, dashes and underscores, with a letter or digit first"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{text!r} holds a control character; remove it")
    return text


def _own_home(path: str) -> str:
    if path.startswith("~") and path != "~" and not path.startswith("~/"):
        raise ValueError(f"{path!r}: only ~/ is understood, the home directory of the job's user; give the path itself")
    return path


Name = Annotated[str, Worded(_NAME, _NAMED)]
NameOrEmpty = Annotated[str, Worded(f"({_NAME})?", _NAMED)]
Line = Annotated[str, AfterValidator(_printable)]
Place = Annotated[Line, AfterValidator(_own_home)]  # absolute, or from the home directory: `~/x`, `x`
Unquoted = Annotated[Place, Worded(r"[^'\"\\,]+", "a path without quotes, backslashes and commas")]


def mount_above(mount: str, directory: str) -> None:
    """Raises `ValueError` where `mount` ("": none) is neither `directory` nor above it."""
    if mount and not f"{directory.rstrip('/')}/".startswith(f"{mount.rstrip('/')}/"):
        raise ValueError(f"must_be_mount: {mount!r} is neither the directory {directory!r} nor above it")


class BackupModel(ShortForm, BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Retention(BackupModel):
    """Which backups of an item stay; the others go only after a new one passed every check.

    Each number keeps some, and what none of them keeps goes: of two backups on one day the first goes, unless `last`
    keeps it too. The newest that was restored stays in any case.
    """

    mode: Literal["apply", "dry_run", "off"] = Field(
        default="apply", description="apply removes old backups, dry_run only says which would go, off keeps all."
    )
    last: int = Field(default=1, ge=1, description="Keep the newest so many, however close together they are.")
    daily: int = Field(
        default=7, ge=1, description="Keep the newest of each of the last so many days that have a backup."
    )
    weekly: int = Field(default=4, ge=0, description="Likewise of the last so many weeks.")
    monthly: int = Field(default=12, ge=0, description="Likewise of the last so many months.")


class Common(BackupModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=allow_old_names)
    _old_names: ClassVar[object] = renamed_fields(limit="timeout")

    name: Name = Field(description="Name of the item; its files are called NAME-TIMESTAMP.")
    hosts: str = Field(min_length=1, description="Hosts to back it up on, as a pattern: db1, databases, web*.")
    timeout: int = Field(
        default=4 * 3600, ge=1, description="Seconds after which the job is ended; the item then failed."
    )
    before: tuple[str, ...] = Field(
        default=(),
        description="Shell commands before the dump: stop a service, make a snapshot. One that fails fails the item.",
    )
    after: tuple[str, ...] = Field(
        default=(),
        description="Shell commands as soon as the dump is made, or has failed ($BACKUP_STATE is made or failed), also "
        "where a command before it failed. One that fails is a warning.",
    )
    min_bytes: int = Field(default=1, ge=1, description="A backup with fewer bytes than this is a failure.")
