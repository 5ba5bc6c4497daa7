"""Restoring a backup: which one, where to, and the job that does it beside what is there."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from posixpath import normpath

from pydantic import Field, model_validator

from remotejobs.agent.functions import call, command_of
from remotejobs.agent.shell import Shell
from remotejobs.errors import HostRefused, ProtocolError
from remotejobs.model import Job, Record
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.copies.place import directory_of
from remotejobs.operations.backup.item.report import whole_report
from remotejobs.operations.backup.item.script import GRACE
from remotejobs.operations.backup.plan import NAME, BackupModel, Line, Place
from remotejobs.operations.backup.texts import text, texts

_TEXTS = (
    "item/backup.sh",
    "item/record.sh",
    "item/place.sh",
    "kinds/postgres.sh",
    "kinds/restore_test.sh",
    "kinds/cluster.sh",
    "kinds/mariadb.sh",
    "restore/restore.sh",
    "restore/mariadb.sh",
)
_DATABASES = ("postgres", "mariadb")  # kinds that are restored to a database
_OWN = ("mysql", "information_schema", "performance_schema", "sys", "postgres", "template0", "template1")


class NoSuchBackup(HostRefused):
    """`remotejobs backups list` shows what is there."""


class TargetUnknown(HostRefused):
    """Correct server, user and password file, or the path."""


class OtherJob(HostRefused):
    """Give another --jid, or none."""


class Restore(BackupModel):
    """Which backup of an item is restored, and where to: a database, or a directory for files."""

    item: str = Field(pattern=NAME, description="Name of the item, as in the plan.")
    directory: Place = Field(
        default="/var/backups/remotejobs", min_length=1, description="Where the backups lie on the host."
    )
    at: Line = Field(
        default="",
        pattern=r"^(\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?Z?)?|\d{8}T\d{6}Z)?$",
        description="The last good one that was begun until then (UTC): 2026-11-30 02:00, or a day, which counts to "
        "its end. Empty: the latest good one.",
    )
    file: Line = Field(default="", pattern=r"^[^/]*$", description="This very backup, by the name of its file.")
    tested: bool = Field(default=False, description="Only one that was restored for a test, row by row.")
    database: Line = Field(default="", description="Database to restore to.")
    server: Line = Field(default="", description="Where the server listens as seen from the host; empty: its socket.")
    port: int = Field(default=0, ge=0, le=65535, description="The server's port; 0: 5432, or 3306 for MariaDB.")
    user: Line = Field(default="", description="User of the server, who may create databases; empty: the job's user.")
    passfile: Line = Field(
        default="",
        description="Password file (pgpass) on the host, or option file of MariaDB; empty: the usual one.",
    )
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
        self.until()  # a ValueError for the 31st of February
        return self

    @property
    def target(self) -> str:
        return self.database or self.to

    def until(self) -> datetime | None:
        """The end of the moment that `at` names."""
        if not self.at:
            return None
        digits = re.sub(r"\D", "", self.at)
        full = digits + "235959"[len(digits) - 8 :]
        return datetime.strptime(full, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTarget:
    """What is where a backup is to be restored; `sessions` use the database that is there."""

    exists: bool
    sessions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRestore:
    """What is to be done on a host: restore `entry` to `target`, or attach to a job whose command is `begun`.

    `brought`: `entry` is a copy that came from another host to be restored here, and goes afterwards.
    """

    host: str
    entry: CatalogueEntry | None = None
    target: RestoreTarget | None = None
    begun: str = ""
    brought: bool = False

    @property
    def replaces(self) -> bool:
        """Whether something is where the backup goes."""
        return bool(self.target and self.target.exists)

    def job(self, restore: Restore, *, jid: str, replace: bool) -> Job:
        """Its job. `replace`: a person agreed that what is there is put aside."""
        if self.entry is None:
            # It keeps its command: by now another backup may be the latest one.
            return _job_with(restore, self.begun, jid=jid)
        return restore_job(restore, self.entry, jid=jid, replace=replace and self.replaces, brought=self.brought)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """A restore that came to its end. `before` is the name by which what was there is kept; `counts` is in words."""

    target: str
    before: str
    counts: str
    seconds: int


def choose(
    host: str, entries: Sequence[CatalogueEntry], restore: Restore, *, until: datetime | None = None
) -> CatalogueEntry:
    """The newest good backup of the item, not begun after `until` or `restore.at`. Raises `NoSuchBackup`.

    One that is dated after now, by a clock that was wrong once, is only chosen by its name: it would be the newest for
    years.
    """
    of_item = [entry for entry in entries if entry.item == restore.item and not entry.of]
    limits = [each for each in (restore.until(), until) if each]
    fitting = [entry for entry in of_item if (entry.file == restore.file if restore.file else entry.age >= 0)]
    fitting = [entry for entry in fitting if all(entry.made <= limit for limit in limits)]
    good = [entry for entry in fitting if entry.good and (entry.tested or not restore.tested)]
    right = [entry for entry in good if (entry.kind in _DATABASES) == bool(restore.database)]
    if right:
        return max(right, key=lambda entry: entry.made)
    raise NoSuchBackup(host, _why_none(restore, host, of_item, fitting, good))


def _why_none(
    restore: Restore,
    host: str,
    of_item: Sequence[CatalogueEntry],
    fitting: Sequence[CatalogueEntry],
    good: Sequence[CatalogueEntry],
) -> str:
    if not of_item:
        return f"there is no backup of {restore.item} in {where_of(restore, host)}"
    if not fitting:
        which = f"called {restore.file}" if restore.file else f"dated until {restore.at or 'now'}"
        return f"none of {len(of_item)} backups of {restore.item} is {which}"
    if not good:
        states = ", ".join(sorted({entry.problem or entry.state for entry in fitting}))
        return f"no backup of {restore.item} is {'tested' if restore.tested else 'good'}: {states}"
    where = "a directory (to)" if restore.database else "a database"
    return f"the backup {good[0].file} is of the kind {good[0].kind}; restore it to {where}"


def where_of(restore: Restore, host: str) -> str:
    """The directory that is searched for a backup to restore on `host`: there, or on the host that has copies."""
    return directory_of(restore.copies, restore.copy_of or host) if restore.copy_on else restore.directory


def target_on(shell: Shell, restore: Restore, kind: str = "") -> RestoreTarget:
    """What is there now, where a backup of that kind is to go. Changes nothing. Raises `HostError`, `TargetUnknown`."""
    asked = (*_libpq(restore), text("item/place.sh"), text("catalogue/catalogue.sh"))
    asked = (*asked, *_mysql(restore), text("kinds/mariadb.sh")) if kind == "mariadb" else asked
    function = "ct_mariadb" if kind == "mariadb" else "ct_database" if restore.database else "ct_directory"
    fields = call(shell, asked, (function, restore.target))
    if "error" in fields:
        raise TargetUnknown(shell.host, fields["error"].partition(" ")[2])
    if "exists" not in fields:
        raise ProtocolError(shell.host, f"it is not known whether {restore.target} exists")
    sessions = fields.get("sessions", "0")
    if not sessions.isdecimal():
        raise ProtocolError(shell.host, f"{restore.target} is used by {sessions!r} sessions, which is no number")
    return RestoreTarget(exists=fields["exists"] == "yes", sessions=int(sessions))


def restore_job(restore: Restore, entry: CatalogueEntry, *, jid: str, replace: bool, brought: bool = False) -> Job:
    """The job that restores `entry`; `replace`: a person agreed that what is there is put aside.

    `brought`: it was brought to the host to be restored, and goes when the job ends.
    """
    settings = [
        ("BROUGHT", _word(brought)),
        ("DIRECTORY", entry.directory),
        ("FILE", entry.file),
        ("SHA256", str(entry.record.get("sha256", "")) if entry.record else ""),
        ("ITEM", entry.item),
        # What neither pg_restore nor tar understands is put there as it is.
        ("KIND", entry.kind if entry.kind in (*_DATABASES, "files") else "command"),
        ("TARGET", restore.target),
        ("REPLACE", _word(replace)),
        ("OWNERS", _word(restore.owners)),
        ("END_SESSIONS", _word(restore.end_sessions)),
        ("JOBS", str(restore.jobs)),
        ("SCRATCH", f"remotejobs_restore_to_{_digest(restore.database, restore.server, str(restore.port), jid)}"),
        ("RESTORE_TIMEOUT", str(restore.timeout)),
        ("RESTORE_RESERVE_KIB", str(restore.reserve_mib * 1024)),
    ]
    before = [*(f"{name}={shlex.quote(value)}" for name, value in settings), *_libpq(restore), *_mysql(restore)]
    return _job_with(restore, command_of(texts(_TEXTS), "rs_main", before=before), jid=jid)


def begun_by(restore: Restore, host: str, jid: str, command: str) -> str:
    """The command of a job that is there, if it restores what is asked for to where it is asked for.

    Raises `OtherJob`: attached to it, a caller would take its end for that of this restore.
    """
    lines = command.split("\n", 20)
    if all(
        f"{name}={shlex.quote(value)}" in lines for name, value in (("ITEM", restore.item), ("TARGET", restore.target))
    ):
        return command
    raise OtherJob(host, f"the job {jid} is another one: it does not restore {restore.item} to {restore.target}")


def _job_with(restore: Restore, command: str, *, jid: str) -> Job:
    """The job of a restore whose command is known: that of one that was begun."""
    return Job(
        jid=jid,
        cmd=command,
        label=f"restore {restore.item}",
        timeout=restore.timeout,
        grace=GRACE,
        # No retention takes the backup away meanwhile, and no other job restores to the same place.
        locks=(*_locks(restore.item), f"restore:{_digest(_place(restore), restore.server, str(restore.port))}"),
        queue_timeout=restore.timeout,
    )


def restore_report_of(record: Record) -> RestoreReport:
    """The report at the end of a job's output. Raises `ProtocolError` when it is not whole."""
    fields, _ = whole_report(record, b"remotejobs-restore 1\n", "restore")
    try:
        return RestoreReport(
            target=fields["target"],
            before=fields["before"],
            counts=fields["counts"],
            seconds=int(fields["seconds"]),
        )
    except (KeyError, ValueError) as exc:
        raise ProtocolError(record.host, f"job {record.jid}: the report of its restore: {exc}") from exc


def _libpq(restore: Restore) -> tuple[str, ...]:
    if not restore.database:
        return ()
    named = {
        "PGDATABASE": "postgres",
        "PGHOST": restore.server,
        "PGPORT": str(restore.port or 5432),
        "PGUSER": restore.user,
        "PGPASSFILE": restore.passfile,
    }
    return tuple(f"export {name}={shlex.quote(value)}" for name, value in named.items() if value)


def _mysql(restore: Restore) -> tuple[str, ...]:
    settings = {
        "MY_SERVER": restore.server,
        "MY_PORT": str(restore.port or 3306),
        "MY_USER": restore.user,
        "MY_PASSFILE": restore.passfile,
    }
    return tuple(f"{name}={shlex.quote(value)}" for name, value in settings.items())


def _locks(item: str) -> tuple[str, ...]:
    """Those of the item, and of the server whose database it may be: `main.orders` is one of `main`."""
    parts = item.split(".")
    return tuple(f"backup:{'.'.join(parts[:count])}" for count in range(1, len(parts) + 1))


def _place(restore: Restore) -> str:
    """The target, however its path is written."""
    if restore.database:
        return restore.database
    path = restore.to if restore.to.startswith("/") else f"~/{restore.to.removeprefix('~')}"
    return normpath(path).replace("//", "/")


def _word(yes: bool) -> str:
    return "yes" if yes else "no"


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
