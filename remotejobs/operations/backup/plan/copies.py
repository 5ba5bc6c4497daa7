"""Where copies of backups go, and for whom they are encrypted before they leave their host."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, model_validator

from remotejobs.operations.backup.plan.base import BackupModel, Line, Name, Place, Retention, mount_above


class Encryption(BackupModel):
    """For whom copies are encrypted: public keys alone. Nothing on the hosts of the backups can decrypt them."""

    age: tuple[Line, ...] = Field(default=(), description="Recipients of age, as age-keygen prints them: age1...")
    gpg: tuple[Line, ...] = Field(
        default=(),
        description="Recipients of gpg, best by fingerprint; their public keys are in the keyring of the job's user.",
    )

    @model_validator(mode="after")
    def _one_program(self) -> Encryption:
        if bool(self.age) == bool(self.gpg):
            raise ValueError("name recipients either of age or of gpg")
        if odd := [each for each in (*self.age, *self.gpg) if each.startswith("-") or not each.strip()]:
            raise ValueError(f"{odd[0]!r} is no recipient")
        return self

    @property
    def program(self) -> str:
        return "age" if self.age else "gpg"

    @property
    def recipients(self) -> tuple[str, ...]:
        return self.age or self.gpg


class _Copy(BackupModel):
    name: Name = Field(description="What this place is called in tables and records.")
    encrypted: bool = Field(default=True, description="Only what is encrypted goes there.")
    retention: Retention = Field(
        default=Retention(), description="Which copies stay there, whatever stays on the host of the backup."
    )


class HostCopy(_Copy):
    """Another host of the inventory. Copies go by way of the worker: neither host can log in to the other."""

    kind: ClassVar[str] = "host"

    host: Line = Field(min_length=1, description="The host, by its name in the inventory.")
    directory: Place = Field(
        default="/var/backups/remotejobs-copies",
        min_length=1,
        description="Where copies lie there, in a directory for each host that they are of.",
    )
    must_be_mount: Place = Field(
        default="", description="A path there, of the directory or above it, where something has to be mounted."
    )
    rate_kib: int = Field(default=0, ge=0, description="KiB a second that a copy may take; 0: no limit.")
    min_free_mib: int = Field(default=512, ge=0, description="MiB that stay free there.")

    @model_validator(mode="after")
    def _directory_is_on_the_mount(self) -> HostCopy:
        mount_above(self.must_be_mount, self.directory)
        return self


class CommandCopy(_Copy):
    """Any place that a program on the host of the backup reaches: rclone, restic, borg.

    The commands find the file in $BACKUP_FILE, its name in $BACKUP_NAME and the host in $BACKUP_HOST. No exit code is
    believed: a copy counts when what `fetch` writes has the checksum of the backup.
    """

    kind: ClassVar[str] = "command"

    send: str = Field(
        min_length=1, description='Sends it: rclone copyto "$BACKUP_FILE" "s3:backups/$BACKUP_HOST/$BACKUP_NAME"'
    )
    fetch: str = Field(
        min_length=1,
        description='Writes the copy to its output: rclone cat "s3:backups/$BACKUP_HOST/$BACKUP_NAME". A restore from '
        "there takes the same command.",
    )
    remove: str = Field(
        default="",
        description="Removes a copy that the retention does not keep: "
        'rclone deletefile "s3:backups/$BACKUP_HOST/$BACKUP_NAME"; '
        "empty: the place has a retention of its own.",
    )
    records: bool = Field(
        default=True,
        description="Send the record of each backup too, under the name _record-$BACKUP_NAME and encrypted as that is: "
        "from it a restore knows the checksum when the host is no more.",
    )


def directory_of(directory: str, host: str) -> str:
    """The directory of the backups of `host`, in the directory of a place."""
    return f"{directory.rstrip('/')}/{re.sub(r'[^A-Za-z0-9._-]', '_', host)}"
