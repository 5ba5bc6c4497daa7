"""Backups that are believed only after they were checked: the plan, each item's job, and what it reports."""

from remotejobs.operations.backup.item.report import BackupReport, report_of
from remotejobs.operations.backup.item.script import job_of
from remotejobs.operations.backup.plan import (
    BackupPlan,
    CommandCopy,
    CommandItem,
    Encryption,
    FilesItem,
    HostCopy,
    Item,
    MariadbItem,
    OtherServer,
    PostgresItem,
    RedisItem,
    Retention,
    ServerItem,
    SqliteItem,
)
from remotejobs.operations.backup.restore import Restore, RestoreReport
from remotejobs.operations.backup.verify import Verify, VerifyReport

__all__ = [
    "BackupPlan",
    "BackupReport",
    "CommandCopy",
    "CommandItem",
    "Encryption",
    "FilesItem",
    "HostCopy",
    "Item",
    "MariadbItem",
    "OtherServer",
    "PostgresItem",
    "RedisItem",
    "Restore",
    "RestoreReport",
    "Retention",
    "ServerItem",
    "SqliteItem",
    "Verify",
    "VerifyReport",
    "job_of",
    "report_of",
]
