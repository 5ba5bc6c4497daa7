"""The kinds of items, as a person writes them in prefect.yaml or in the run form. Descriptions are the manual."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from remotejobs.operations.backup.plan.base import BackupModel, Common, Line, Place, Unquoted
from remotejobs.operations.backup.plan.connection import Programs, Service, SslMode, SslRootCert, check_connection
from remotejobs.operations.backup.plan.pg_dump import TABLES, check_options
from remotejobs.worded import Worded

_EXTENSION = Worded("[A-Za-z0-9]{1,16}", "up to 16 letters and digits")


class OtherServer(BackupModel):
    """Another PostgreSQL server for restore tests, as seen from the host of the backup."""

    server: Line = Field(min_length=1, description="Where it listens: a host name, or the directory of its socket.")
    port: int = Field(default=5432, ge=1, le=65535, description="Its port.")
    user: Line = Field(
        default="", description="PostgreSQL user there, with the right to create databases; empty: as for the dump."
    )
    passfile: Line = Field(default="", description="Password file (pgpass) on the host; empty: as for the dump.")
    sslmode: SslMode = ""
    sslrootcert: SslRootCert = ""
    room_unchecked: bool = Field(
        default=False,
        description="Restore there although the free room of a server on another machine cannot be seen.",
    )


class _Tested(Common):
    """What can be restored for a test."""

    restore_test: bool = Field(
        default=False,
        description="Restore each backup for a test into a throw-away server, and count; then remove it. "
        "A backup that cannot be restored for the test is kept as untested, and the item is a warning.",
    )
    restore_directory: Unquoted = Field(
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


class PostgresItem(_Tested):
    """A PostgreSQL database, by pg_dump.

    Passwords are not given here: they belong into a password file on the host, readable by the job's user alone.
    """

    kind: ClassVar[str] = "postgres"
    _often: ClassVar[tuple[str, ...]] = ("name", "hosts", "database", "restore_test")

    database: Line = Field(min_length=1, description="Name of the database.")
    server: Line = Field(
        default="", description="Where PostgreSQL listens as seen from the host; empty: its local socket."
    )
    port: int = Field(default=5432, ge=1, le=65535, description="PostgreSQL's port.")
    user: Line = Field(default="", description="PostgreSQL user; empty: the user that the job runs as.")
    passfile: Line = Field(default="", description="Password file (pgpass) on the host; empty: ~/.pgpass.")
    service: Service = ""
    sslmode: SslMode = ""
    sslrootcert: SslRootCert = ""
    programs: Programs = ""
    format: Literal["custom", "directory", "plain"] = Field(
        default="custom",
        description="custom: one file for pg_restore; directory: several tables at a time (jobs), in one file later; "
        "plain: SQL for psql, compressed, without the owner, rights and settings of the database itself.",
    )
    jobs: int = Field(default=1, ge=1, le=64, description="Tables dumped at a time; it takes format: directory.")
    exclude_table_data: tuple[Annotated[Line, TABLES], ...] = Field(
        default=(), description="Tables that are saved without their rows, as patterns of psql: audit.*, public.log_*"
    )
    options: tuple[Line, ...] = Field(
        default=(), description="More options of pg_dump, each in one long word: --no-comments, --schema=app"
    )
    lock_timeout: int | None = Field(
        default=None, ge=1, description="Seconds to wait for the lock of a table; then the item fails. Empty: no limit."
    )
    restore_on: Literal["cluster", "server"] | OtherServer = Field(
        default="cluster",
        description="Where: cluster, a throw-away server that is made on the host with initdb, so that the database's "
        "own server carries no load; server, the one that was dumped; or another server.",
    )

    @model_validator(mode="after")
    def _connection_fits(self) -> PostgresItem:
        check_connection(self)
        return self

    @model_validator(mode="after")
    def _options_fit(self) -> PostgresItem:
        if self.jobs > 1 and self.format != "directory":
            raise ValueError(f"jobs: pg_dump writes format: {self.format} one table at a time; say format: directory")
        check_options(self.options, plain=self.format == "plain", restore_test=self.restore_test)
        return self


class ServerItem(PostgresItem):
    """All databases of a PostgreSQL server, those that are new too, and its globals: roles and tablespaces.

    Each is a backup of its own: NAME.globals and NAME.DATABASE. One that fails stops no other.
    """

    kind: ClassVar[str] = "server"
    _often: ClassVar[tuple[str, ...]] = ("name", "hosts", "exclude", "restore_test")

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


class FilesItem(Common):
    """Files and directories, by tar."""

    kind: ClassVar[str] = "files"
    _often: ClassVar[tuple[str, ...]] = ("name", "hosts", "paths", "exclude")

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


class SqliteItem(Common):
    """An SQLite database, by the online backup of sqlite3: whole, also while others write to it."""

    kind: ClassVar[str] = "sqlite"

    path: Place = Field(min_length=1, description="The database's file: /..., or ~/..., or from the home directory.")
    busy_timeout: int = Field(
        default=60,
        ge=0,
        description="Seconds to wait while another process has the database locked; then it is a failure.",
    )


class MariadbItem(_Tested):
    """A database of MariaDB or MySQL, by mariadb-dump (or mysqldump) in one snapshot, with routines and triggers."""

    kind: ClassVar[str] = "mariadb"
    _often: ClassVar[tuple[str, ...]] = ("name", "hosts", "database", "restore_test")

    database: Line = Field(min_length=1, description="Name of the database.")
    server: Line = Field(
        default="",
        description="Where the server listens as seen from the host, or the path of its socket; empty: its socket.",
    )
    port: int = Field(default=3306, ge=1, le=65535, description="The server's port.")
    user: Line = Field(default="", description="User of the server; empty: the user that the job runs as.")
    passfile: Line = Field(
        default="", description="Option file on the host with the password, under [client]; empty: ~/.my.cnf."
    )


class RedisItem(_Tested):
    """What a Redis (or Valkey) server holds, as it saves it: RDB."""

    kind: ClassVar[str] = "redis"

    server: Line = Field(default="127.0.0.1", min_length=1, description="Where it listens, or the path of its socket.")
    port: int = Field(default=6379, ge=1, le=65535, description="The server's port.")
    user: Line = Field(default="", description="User of the server; empty: the default one.")
    passfile: Line = Field(default="", description="File on the host whose first line is the password; empty: none.")


class CommandItem(Common):
    """What any command writes to its standard output. A failure anywhere in a pipe of it is a failure."""

    kind: ClassVar[str] = "command"
    _often: ClassVar[tuple[str, ...]] = ("name", "hosts", "command", "extension")

    command: str = Field(min_length=1, description="Shell command whose output is the backup: redis-cli --rdb -")
    check: str = Field(default="", description="Shell command that reads the backup and fails when it is bad: gzip -t")
    extension: Annotated[str, _EXTENSION] = Field(default="out", description="End of the file's name: gz, sql, rdb")


Item = ServerItem | PostgresItem | MariadbItem | RedisItem | FilesItem | SqliteItem | CommandItem
