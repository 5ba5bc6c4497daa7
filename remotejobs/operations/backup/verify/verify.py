"""Verifying old backups: checksum and format of all, and a restore of one in so many."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pydantic import Field

from remotejobs.agent.shell import command_of
from remotejobs.errors import ProtocolError
from remotejobs.model import Job, Record
from remotejobs.operations.backup.item.report import warnings_in, whole_report
from remotejobs.operations.backup.item.script import GRACE
from remotejobs.operations.backup.plan import BackupModel, NameOrEmpty, Place, Unquoted
from remotejobs.operations.backup.plan.connection import Programs, programs_first
from remotejobs.operations.backup.texts import texts

_TEXTS = (
    "item/backup.sh",
    "item/record.sh",
    "item/place.sh",
    "kinds/pg_archive.sh",
    "kinds/postgres.sh",
    "kinds/restore_test.sh",
    "kinds/cluster.sh",
    "kinds/sqlite.sh",
    "kinds/mariadb.sh",
    "kinds/redis.sh",
    "verify/verify.sh",
)


class Verify(BackupModel):
    """Which backups are verified, and how closely."""

    directory: Place = Field(
        default="/var/backups/remotejobs", min_length=1, description="Where the backups lie on the hosts."
    )
    item: NameOrEmpty = Field(default="", description="Only those of this item; empty: all.")
    restore_one_in: int = Field(
        default=0,
        ge=0,
        description="Restore one database in so many into a throw-away server, another one each day; 0: none.",
    )
    restore_directory: Unquoted = Field(
        default="/var/tmp",  # noqa: S108 - a directory is made in it by mktemp
        description="Where the throw-away server keeps its data meanwhile.",
    )
    restore_reserve_mib: int = Field(default=1024, ge=0, description="MiB that stay free there.")
    programs: Programs = ""
    timeout: int = Field(default=12 * 3600, ge=1, description="Seconds after which the job is ended.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """How many backups were found whole, how many damaged (they are marked so), and how many were restored.

    `unread` are those that could not be read for a reason that lies in the host: they keep their marks.
    """

    good: int
    damaged: int
    restored: int
    seconds: int
    unread: int = 0
    warnings: tuple[str, ...] = ()


def verify_job(verify: Verify, *, jid: str) -> Job:
    """The job that verifies the backups of a host. It fails where one is damaged or cannot be read."""
    settings = {
        "DIRECTORY": verify.directory,
        "ITEM": verify.item,
        "EVERY": str(verify.restore_one_in),
        "LIMIT": str(verify.timeout),
        "RESTORE_TIMEOUT": str(verify.timeout),
        "RESTORE_RESERVE_KIB": str(verify.restore_reserve_mib * 1024),
        "RESTORE_DIRECTORY": verify.restore_directory,
    }
    before = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    before += programs_first(verify.programs)
    return Job(
        jid=jid,
        cmd=command_of(texts(_TEXTS), "vf_main", before=before),
        label=f"verify backups{verify.item and f' of {verify.item}'}",
        timeout=verify.timeout,
        grace=GRACE,
        locks=("backup-verify",),
        queue_timeout=verify.timeout,
    )


def verify_report_of(record: Record) -> VerifyReport:
    """The report at the end of a job's output, also of one that found damage. Raises `ProtocolError`."""
    fields, lines = whole_report(record, b"remotejobs-verify 1\n", "verification")
    try:
        return VerifyReport(
            good=int(fields["good"]),
            damaged=int(fields["damaged"]),
            restored=int(fields["restored"]),
            seconds=int(fields["seconds"]),
            unread=int(fields.get("unread", "0")),  # a job outlives its controller, also an older one
            warnings=warnings_in(lines),
        )
    except (KeyError, ValueError) as exc:
        raise ProtocolError(record.host, f"job {record.jid}: the report of its verification: {exc}") from exc
