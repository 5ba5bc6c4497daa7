"""What is asked for: which backup of an item, and where it is restored to."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, model_validator

from remotejobs.operations.backup.plan import BackupModel, Line, Name, Place
from remotejobs.operations.backup.plan.connection import (
    Programs,
    Service,
    SslMode,
    SslRootCert,
    check_connection,
)
from remotejobs.worded import SHA256_OR_EMPTY, Worded

_TIME = Worded(r"(\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?Z?)?|\d{8}T\d{6}Z)?", "a day or a time as 2026-11-30 02:00")
_FILE = Worded("[^/]*", "the name of a file, without its directory")
_OWN = ("mysql", "information_schema", "performance_schema", "sys", "postgres", "template0", "template1")


class Restore(BackupModel):
    """Which backup of an item is restored, and where to: a database, or a directory for files."""

    item: Name = Field(description="Name of the item, as in the plan.")
    directory: Place = Field(
        default="/var/backups/remotejobs", min_length=1, description="Where the backups lie on the host."
    )
    at: Annotated[Line, _TIME] = Field(
        default="",
        description="The last good one that was started until then (UTC): 2026-11-30 02:00, or a day, which counts to "
        "its end. Empty: the latest good one.",
    )
    file: Annotated[Line, _FILE] = Field(default="", description="This very backup, by the name of its file.")
    tested: bool = Field(default=False, description="Only one that was restored for a test, row by row.")
    database: Line = Field(default="", description="Database to restore to.")
    server: Line = Field(default="", description="Where the server listens as seen from the host; empty: its socket.")
    port: int = Field(default=0, ge=0, le=65535, description="The server's port; 0: 5432, or 3306 for MariaDB.")
    user: Line = Field(default="", description="User of the server, who may create databases; empty: the job's user.")
    passfile: Line = Field(
        default="",
        description="Password file (pgpass) on the host, or option file of MariaDB; empty: the usual one.",
    )
    service: Service = ""
    sslmode: SslMode = ""
    sslrootcert: SslRootCert = ""
    programs: Programs = ""
    owners: bool = Field(
        default=True,
        description="With owners and rights, whose roles have to be there. Off: all belongs to the user.",
    )
    end_sessions: bool = Field(
        default=False, description="End the sessions of a database that is replaced; otherwise they are a refusal."
    )
    jobs: int = Field(default=1, ge=1, le=64, description="Tables to restore at a time.")
    to: Place = Field(default="", description="Directory to restore files to.")
    copy_on: Line = Field(
        default="", description="Restore from a copy: the host that has it. Empty: from what lies on the host itself."
    )
    copy_of: Line = Field(default="", description="The host that was backed up; empty: the one that is restored on.")
    copies: Place = Field(
        default="/var/backups/remotejobs-copies",
        min_length=1,
        description="Where copies lie on the host that has them.",
    )
    fetch: str = Field(
        default="",
        description="Restore from a copy that a program of the host reaches: the command of the plan that writes it to "
        'its output, rclone cat "s3:backups/$BACKUP_HOST/$BACKUP_NAME".',
    )
    names: str = Field(
        default="",
        description="Command that writes the names of the copies there, among whatever else: "
        'rclone lsf "s3:backups/$BACKUP_HOST". Empty: give the name (file).',
    )
    idle_timeout: int = Field(
        default=1800, ge=0, description="Seconds for which fetch may give no byte; then it is ended. 0: no limit."
    )
    sha256: Annotated[str, SHA256_OR_EMPTY] = Field(
        default="",
        description="Only a backup with this checksum, as the run's table says it. A copy without a record takes it.",
    )
    identity_block: Line = Field(
        default="",
        description="Name of the Secret block with what opens an encrypted copy: an identity of age, AGE-SECRET-KEY-, "
        "or a secret key of gpg. It is handed to the host in memory alone, and is gone when the copy is open.",
    )
    reserve_mib: int = Field(default=1024, ge=0, description="MiB that stay free where it is restored.")
    timeout: int = Field(default=4 * 3600, ge=1, description="Seconds after which the job is ended.")

    @model_validator(mode="after")
    def _one_target(self) -> Restore:
        if bool(self.database) == bool(self.to):
            raise ValueError("give either a database to restore to, or a directory (to)")
        if self.database in _OWN or self.database.startswith("remotejobs_restore_"):
            raise ValueError(f"database: {self.database!r} is the server's own; restore to another name")
        if self.fetch and (self.copy_on or not (self.names or self.file)):
            raise ValueError("fetch: give names or file too, which say what there is to fetch, and no copy_on")
        if self.names and not self.fetch:
            raise ValueError("names: give fetch too, the command that writes a copy to its output")
        check_connection(self)
        self.until()  # a ValueError for the 31st of February
        return self

    @property
    def target(self) -> str:
        return self.database or self.to

    @property
    def from_copy(self) -> bool:
        """Whether what is restored has to be brought to the host first."""
        return bool(self.copy_on or self.fetch)

    def until(self) -> datetime | None:
        """The end of the moment that `at` names."""
        if not self.at:
            return None
        digits = re.sub(r"\D", "", self.at)
        full = digits + "235959"[len(digits) - 8 :]
        return datetime.strptime(full, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
