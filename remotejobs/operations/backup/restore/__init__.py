"""Restoring a backup beside what is there."""

from remotejobs.operations.backup.restore.restore import (
    NoSuchBackup,
    OtherJob,
    PlannedRestore,
    Restore,
    RestoreReport,
    RestoreTarget,
    TargetUnknown,
    begun_by,
    choose,
    restore_job,
    restore_report_of,
    target_on,
    where_of,
)

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
