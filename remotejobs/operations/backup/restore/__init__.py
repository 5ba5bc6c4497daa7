"""Restoring a backup beside what is there."""

from remotejobs.operations.backup.restore.restore import (
    NoSuchBackup,
    OtherJob,
    Restore,
    RestoreReport,
    Target,
    TargetUnknown,
    begun_by,
    choose,
    job_with,
    restore_job,
    restore_report_of,
    target_on,
    where_of,
)

__all__ = [
    "NoSuchBackup",
    "OtherJob",
    "Restore",
    "RestoreReport",
    "Target",
    "TargetUnknown",
    "begun_by",
    "choose",
    "job_with",
    "restore_job",
    "restore_report_of",
    "target_on",
    "where_of",
]
