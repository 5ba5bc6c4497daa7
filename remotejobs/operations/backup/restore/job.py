"""The job that restores a backup beside what is there, and the report at its end."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from posixpath import normpath

from remotejobs.agent.shell import Shell, call, command_of
from remotejobs.errors import HostRefused, ProtocolError, UsageError
from remotejobs.model import Job, Record
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.item.report import whole_report
from remotejobs.operations.backup.item.script import GRACE
from remotejobs.operations.backup.plan.connection import libpq_of, programs_first
from remotejobs.operations.backup.restore.choose import DATABASES
from remotejobs.operations.backup.restore.request import Restore
from remotejobs.operations.backup.texts import text, texts, yes_or_no

_TEXTS = (
    "item/backup.sh",
    "item/record.sh",
    "item/place.sh",
    "kinds/pg_archive.sh",
    "kinds/restore_test.sh",
    "kinds/cluster.sh",
    "kinds/mariadb.sh",
    "restore/restore.sh",
    "restore/mariadb.sh",
)
_MAINTENANCE = "postgres"  # the database that is there while another one is made, renamed or dropped


class TargetUnknown(HostRefused):
    """Correct server, user and password file, or the path."""


class OtherJob(HostRefused):
    """Give another --jid, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTarget:
    """What already exists where a backup is to be restored; `sessions` use that database."""

    exists: bool
    sessions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRestore:
    """The work on a host: restore `entry` to `target`, or attach to a job that is there and runs `command`.

    `brought`: `entry` is a copy that came from another host to be restored here, and goes afterwards.
    """

    host: str
    entry: CatalogueEntry | None = None
    target: RestoreTarget | None = None
    command: str = ""
    brought: bool = False

    @property
    def replaces(self) -> bool:
        """Whether something is where the backup goes."""
        return bool(self.target and self.target.exists)

    def job(self, restore: Restore, *, jid: str, replace: bool) -> Job:
        """Its job. `replace`: a person agreed that what is there is put aside."""
        if self.entry is None:
            # It keeps its command: another backup may be the latest one now.
            return _job_with(restore, self.command, jid=jid)
        return restore_job(restore, self.entry, jid=jid, replace=replace and self.replaces, brought=self.brought)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """A restore that ended. `before` is the name under which the earlier content is kept; `counts` is text."""

    target: str
    before: str
    counts: str
    seconds: int


def target_on(shell: Shell, restore: Restore, kind: str = "") -> RestoreTarget:
    """What is there now, where a backup of that kind is to go. Changes nothing.

    Raises `HostError`, `TargetUnknown`, `UsageError`.
    """
    asked = (*_libpq(restore), text("item/place.sh"), text("catalogue/catalogue.sh"))
    asked = (*asked, *_mysql(restore), text("kinds/mariadb.sh")) if kind == "mariadb" else asked
    if kind == "mariadb" and (restore.service or restore.sslmode or restore.sslrootcert):
        raise UsageError(
            "service, sslmode and sslrootcert are PostgreSQL's",
            remedy="Say in the option file (passfile) how the connection to MariaDB is encrypted: ssl-ca, ...",
        )
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
        ("BROUGHT", yes_or_no(brought)),
        ("DIRECTORY", entry.directory),
        ("FILE", entry.file),
        ("SHA256", restore.sha256 or entry.sha256),
        ("ITEM", entry.item),
        # What neither pg_restore nor tar understands is put there as it is.
        ("KIND", entry.kind if entry.kind in (*DATABASES, "files") else "command"),
        ("TARGET", restore.target),
        ("REPLACE", yes_or_no(replace)),
        ("OWNERS", yes_or_no(restore.owners)),
        ("END_SESSIONS", yes_or_no(restore.end_sessions)),
        ("JOBS", str(restore.jobs)),
        ("SCRATCH", f"remotejobs_restore_to_{_digest(restore.database, restore.server, str(restore.port), jid)}"),
        ("RESTORE_TIMEOUT", str(restore.timeout)),
        ("RESTORE_RESERVE_KIB", str(restore.reserve_mib * 1024)),
    ]
    before = [*(f"{name}={shlex.quote(value)}" for name, value in settings), *_libpq(restore), *_mysql(restore)]
    return _job_with(restore, command_of(texts(_TEXTS), "rs_main", before=before), jid=jid)


def started_by(restore: Restore, host: str, jid: str, command: str) -> str:
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
    """The job of a restore that runs `command`."""
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
    exports = [f"export {name}={shlex.quote(value)}" for name, value in libpq_of(restore, _MAINTENANCE)]
    return (*programs_first(restore.programs), *exports)


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


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
