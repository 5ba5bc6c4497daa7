"""Restoring a backup beside what is there."""

from remotejobs.operations.backup.restore.choose import NoSuchBackup, choose, where_of
from remotejobs.operations.backup.restore.job import (
    OtherJob,
    PlannedRestore,
    RestoreReport,
    RestoreTarget,
    TargetUnknown,
    begun_by,
    restore_job,
    restore_report_of,
    target_on,
)
from remotejobs.operations.backup.restore.request import Restore

__all__ = [
    "NoSuchBackup",
    "OtherJob",
    "PlannedRestore",
    "Restore",
    "RestoreReport",
    "RestoreTarget",
    "TargetUnknown",
    "begun_by",
    "choose",
    "restore_job",
    "restore_report_of",
    "target_on",
    "where_of",
]
