"""What to back up, as a person writes it in prefect.yaml or in the run form. Descriptions are the manual."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from remotejobs.renamed import allow_old_names, renamed_fields

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{text!r} holds a control character; remove it")
    return text


def _own_home(path: str) -> str:
    if path.startswith("~") and path != "~" and not path.startswith("~/"):
        raise ValueError(f"{path!r}: only ~/ is understood, the home directory of the job's user; give the path itself")
    return path


Line = Annotated[str, AfterValidator(_printable)]
Place = Annotated[Line, AfterValidator(_own_home)]  # absolute, or from the home directory: `~/x`, `x`


class BackupModel(BaseModel):
    """What is written about backups; a key that it does not have is refused."""

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


class _Common(BackupModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=allow_old_names)
    _old_names: ClassVar[object] = renamed_fields(limit="timeout")

    name: str = Field(pattern=NAME, description="Name of the item; its files are called NAME-TIMESTAMP.")
    hosts: str = Field(min_length=1, description="Hosts to back it up on, as a pattern: db1, databases, web*.")
    timeout: int = Field(
        default=4 * 3600, ge=1, description="Seconds after which the job is ended; the item then failed."
    )
    min_bytes: int = Field(default=1, ge=1, description="A backup with fewer bytes than this is a failure.")


class OtherServer(BackupModel):
    """Another PostgreSQL server for restore tests, as seen from the host of the backup."""

    server: Line = Field(min_length=1, description="Where it listens: a host name, or the directory of its socket.")
    port: int = Field(default=5432, ge=1, le=65535, description="Its port.")
    user: Line = Field(
        default="", description="PostgreSQL user there, with the right to create databases; empty: as for the dump."
    )
    passfile: Line = Field(default="", description="Password file (pgpass) on the host; empty: as for the dump.")
    room_unchecked: bool = Field(
        default=False,
        description="Restore there although the free room of a server on another machine cannot be seen.",
    )


class PostgresItem(_Common):
    """A PostgreSQL database, by pg_dump in its custom format.

    Passwords are not given here: they belong into a password file on the host, readable by the job's user alone.
    """

    kind: ClassVar[str] = "postgres"

    database: Line = Field(min_length=1, description="Name of the database.")
    server: Line = Field(
        default="", description="Where PostgreSQL listens as seen from the host; empty: its local socket."
    )
    port: int = Field(default=5432, ge=1, le=65535, description="PostgreSQL's port.")
    user: Line = Field(default="", description="PostgreSQL user; empty: the user that the job runs as.")
    passfile: Line = Field(default="", description="Password file (pgpass) on the host; empty: ~/.pgpass.")
    restore_test: bool = Field(
        default=False,
        description="Restore each backup into a scratch database and compare all row counts, then remove it. "
        "A backup that cannot be restored for the test is kept as untested, and the item is a warning.",
    )
    restore_on: Literal["cluster", "server"] | OtherServer = Field(
        default="cluster",
        description="Where: cluster, a throw-away server that is made on the host with initdb, so that the database's "
        "own server carries no load; server, the one that was dumped; or another server.",
    )
    restore_directory: Annotated[Place, Field(pattern=r"^[^'\"\\,]+$")] = Field(
        default="/var/tmp",  # noqa: S108 - a directory is made in it by mktemp
        description="Where the throw-away server keeps its data meanwhile.",
    )
    restore_reserve_mib: int = Field(
        default=1024,
        ge=0,
        description="MiB that stay free where it is restored; the test is ended before less is left.",
    )
    restore_timeout: int | None = Field(
        default=None, ge=1, description="Seconds that the restore test may take; by default half of the timeout."
    )


class ServerItem(PostgresItem):
    """All databases of a PostgreSQL server, those that are new too, and its globals: roles and tablespaces.

    Each is a backup of its own: NAME.globals and NAME.DATABASE. One that fails stops no other.
    """

    kind: ClassVar[str] = "server"

    database: Line = Field(
        default="postgres", min_length=1, description="Database that is asked which others there are."
    )
    exclude: tuple[Line, ...] = Field(
        default=(), description="Databases to leave out, as patterns: test_*, scratch. Templates are left out anyway."
    )
    globals: bool = Field(
        default=True,
        description="Save roles, with their passwords where the user may read them, and tablespaces; the restore test "
        "loads them before each database.",
    )


class FilesItem(_Common):
    """Files and directories, by tar."""

    kind: ClassVar[str] = "files"

    base: Place = Field(
        default="/",
        description="Directory that the paths start from; relative to the home directory, or /..., or ~/...",
    )
    paths: tuple[Line, ...] = Field(min_length=1, description="What to save: etc, var/www")
    exclude: tuple[Line, ...] = Field(
        default=(),
        description="Patterns to leave out: *.tmp at any depth, /var/log/* from the root on (below the base).",
    )
    compress: bool = Field(default=True, description="Compress with gzip.")
    on_change: Literal["warn", "ignore", "fail"] = Field(
        default="warn",
        description="What a file means that changed or went away while it was read: the item is a warning that names "
        "it, nothing, or a failure. GNU tar alone distinguishes it from other trouble.",
    )
    keep_incomplete: bool = Field(
        default=False,
        description="Where some of it cannot be read, the item fails; keep what could be read, marked incomplete.",
    )
    one_file_system: bool = Field(default=False, description="Leave out what is mounted below the paths.")
    attributes: bool = Field(
        default=True, description="Save ACLs, extended attributes and file capabilities too; it takes GNU tar."
    )

    @model_validator(mode="after")
    def _paths_below_base(self) -> FilesItem:
        for path in self.paths:
            if not path or (path.startswith("/") and self.base != "/"):
                raise ValueError(f"paths: {path!r} does not start from base {self.base!r}; give it relative to that")
        return self

    @model_validator(mode="after")
    def _excludes_below_base(self) -> FilesItem:
        for pattern in self.exclude:
            if pattern.startswith("/") and not pattern.startswith(f"{self.base.rstrip('/')}/"):
                raise ValueError(f"exclude: {pattern!r} is not below base {self.base!r}, so it would leave out nothing")
        return self


class SqliteItem(_Common):
    """An SQLite database, by the online backup of sqlite3: whole, also while others write to it."""

    kind: ClassVar[str] = "sqlite"

    path: Place = Field(min_length=1, description="The database's file: /..., or ~/..., or from the home directory.")
    busy_timeout: int = Field(
        default=60,
        ge=0,
        description="Seconds to wait while another process has the database locked; then it is a failure.",
    )


class CommandItem(_Common):
    """What any command writes to its standard output. A failure anywhere in a pipe of it is a failure."""

    kind: ClassVar[str] = "command"

    command: str = Field(min_length=1, description="Shell command whose output is the backup: redis-cli --rdb -")
    check: str = Field(default="", description="Shell command that reads the backup and fails when it is bad: gzip -t")
    extension: str = Field(
        default="out", pattern=r"^[A-Za-z0-9]{1,16}$", description="End of the file's name: gz, sql, rdb"
    )


Item = ServerItem | PostgresItem | FilesItem | SqliteItem | CommandItem


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
    retention: Retention = Field(default=Retention(), description="Which old backups stay.")

    @property
    def items(self) -> tuple[Item, ...]:
        """All items, of whatever kind."""
        return (*self.databases, *self.servers, *self.files, *self.sqlite, *self.commands)

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
    def _directory_is_on_the_mount(self) -> BackupPlan:
        mount, directory = self.must_be_mount.rstrip("/"), f"{self.directory.rstrip('/')}/"
        if self.must_be_mount and not directory.startswith(f"{mount}/"):
            raise ValueError(
                f"must_be_mount: {self.must_be_mount!r} is neither the directory {self.directory!r} nor above it"
            )
        return self
