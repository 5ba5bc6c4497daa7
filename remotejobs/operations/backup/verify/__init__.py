"""Verifying old backups."""

from remotejobs.operations.backup.verify.verify import Verify, VerifyReport, verify_job, verify_report_of

__all__ = ["Verify", "VerifyReport", "verify_job", "verify_report_of"]
