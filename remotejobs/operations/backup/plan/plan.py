"""What to back up, as a person writes it in prefect.yaml or in the run form. Descriptions are the manual."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from remotejobs.operations.backup.plan.base import BackupModel, Line, Place, Retention, mount_above
from remotejobs.operations.backup.plan.copies import CommandCopy, Encryption, HostCopy
from remotejobs.operations.backup.plan.items import (
    CommandItem,
    FilesItem,
    Item,
    MariadbItem,
    PostgresItem,
    RedisItem,
    ServerItem,
    SqliteItem,
)
from remotejobs.worded import URL_OR_EMPTY, Worded

_HOUR = r"([01]\d|2[0-3]):[0-5]\d"
_WINDOW = Worded(f"({_HOUR}-{_HOUR})?", "a time of day from and to: 22:00-06:00")


class BackupPlan(BackupModel):
    """What to back up, where to, and for how long to keep it. Each item is a job of its own on each of its hosts."""

    name: Line = Field(
        default="",
        max_length=100,
        description="Name of the plan. Backups of an item belong to the plan that made the first of them: a plan of "
        "another name does not touch them. Without a name, what is backed up and how many are kept stands for it.",
    )
    # A list for each kind: Prefect's run form shows a list of different models as bare JSON.
    databases: tuple[PostgresItem, ...] = Field(default=(), description="PostgreSQL databases.")
    servers: tuple[ServerItem, ...] = Field(default=(), description="PostgreSQL servers, with all their databases.")
    mariadb: tuple[MariadbItem, ...] = Field(default=(), description="Databases of MariaDB or MySQL.")
    redis: tuple[RedisItem, ...] = Field(default=(), description="Redis servers.")
    files: tuple[FilesItem, ...] = Field(default=(), description="Files and directories.")
    sqlite: tuple[SqliteItem, ...] = Field(default=(), description="SQLite databases.")
    commands: tuple[CommandItem, ...] = Field(default=(), description="What commands write.")
    directory: Place = Field(
        default="/var/backups/remotejobs",
        min_length=1,
        description="Where backups lie on each host: absolute, or relative to the home directory. "
        "Two hosts must not share it.",
    )
    must_exist: bool = Field(
        default=False, description="Fail where the directory is not there, instead of making it: it may lie on a mount."
    )
    must_be_mount: Place = Field(
        default="", description="A path, of the directory or above it, where something has to be mounted: /mnt/backup."
    )
    min_free_mib: int = Field(
        default=512,
        ge=0,
        description="MiB that must be free there, and stay free where the last backup took more room than there is.",
    )
    window: Annotated[Line, _WINDOW] = Field(
        default="",
        description="When items may begin, by the clock of their host: 22:00-06:00. One whose turn comes at another "
        "time fails, with nothing started; what was started is not cut. Empty: at any time.",
    )
    nice: int = Field(
        default=0,
        ge=0,
        le=19,
        description="How much the jobs give way to others for the processor: from 0, not at all, to 19, in all.",
    )
    io: Literal["", "low", "idle"] = Field(
        default="", description="And for disks, by ionice: low is the last of its class; idle waits for all others."
    )
    ping_url: Annotated[Line, URL_OR_EMPTY] = Field(
        default="",
        description="URL that gets a POST as healthchecks does it: URL/start, then URL, or URL/fail with what failed. "
        "Everybody who sees the run sees it; where it is a secret, give ping_block.",
    )
    ping_block: Line = Field(default="", description="Name of the Secret block that holds the URL to ping.")
    retention: Retention = Field(default=Retention(), description="Which old backups stay.")

    copies: tuple[HostCopy, ...] = Field(
        default=(), description="Other hosts that get a copy of each backup; without any, backups are local only."
    )
    copy_commands: tuple[CommandCopy, ...] = Field(
        default=(), description="Places that get a copy by a program of the host: rclone, restic, borg."
    )
    encryption: Encryption | None = Field(
        default=None, description="For whom copies are encrypted before they leave their host."
    )

    @property
    def items(self) -> tuple[Item, ...]:
        """All items, of whatever kind."""
        databases: tuple[Item, ...] = (*self.databases, *self.servers, *self.mariadb, *self.redis)
        others: tuple[Item, ...] = (*self.files, *self.sqlite, *self.commands)
        return (*databases, *others)

    @model_validator(mode="after")
    def _items_differ_in_name(self) -> BackupPlan:
        if not self.items:
            raise ValueError("the plan is empty; give it at least one database, server, files item or command")
        twice = [name for name, count in Counter(item.name for item in self.items).items() if count > 1]
        if twice:
            raise ValueError(f"the name {twice[0]!r} is given twice; the files of the two could not be distinguished")
        for server in self.servers:
            if of := [item.name for item in self.items if item.name.startswith(f"{server.name}.")]:
                raise ValueError(f"the name {of[0]!r} could be that of a database of {server.name!r}; give another one")
        return self

    @model_validator(mode="after")
    def _copies_are_encrypted(self) -> BackupPlan:
        targets = (*self.copies, *self.copy_commands)
        twice = [name for name, count in Counter(target.name for target in targets).items() if count > 1]
        if twice:
            raise ValueError(f"the name {twice[0]!r} is given to two places of copies")
        if open_ones := [target.name for target in targets if target.encrypted and not self.encryption]:
            raise ValueError(
                f"copies to {open_ones[0]!r} would leave their host unencrypted; name recipients under encryption, or "
                "say encrypted: false for that place"
            )
        return self

    @property
    def encrypts(self) -> Encryption | None:
        """For whom backups are encrypted, where some place wants that."""
        wanted = any(target.encrypted for target in (*self.copies, *self.copy_commands))
        return self.encryption if wanted else None

    @model_validator(mode="after")
    def _directory_is_on_the_mount(self) -> BackupPlan:
        mount_above(self.must_be_mount, self.directory)
        return self

    @model_validator(mode="after")
    def _one_ping(self) -> BackupPlan:
        if self.ping_url and self.ping_block:
            raise ValueError("give either ping_url or ping_block, which holds the URL")
        return self
