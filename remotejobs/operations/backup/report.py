"""What a finished backup job says of its backup, read from the end of its output."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.errors import ProtocolError
from remotejobs.model import Record

_HEAD = b"remotejobs-backup 1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """A backup that passed every check: where it is on its host, and what retention did after it.

    `seconds` is how long all of it took; `kept` and `removed` count good backups of the item (`removed`: those
    that would be, when `retention` is dry_run).
    """

    path: str
    bytes: int
    sha256: str
    seconds: int
    restore_tested: bool
    kept: int
    removed: int
    retention: str


def report_of(record: Record) -> BackupReport:
    """The report at the end of a succeeded job's output. Raises `ProtocolError` when it is not whole."""
    _, found, tail = record.stdout.rpartition(_HEAD)
    lines = tail.decode("utf-8", "surrogateescape").splitlines()
    fields = dict(line.partition("=")[::2] for line in lines)
    if not found or not lines or lines[-1] != "end":
        raise ProtocolError(record.host, f"job {record.jid} succeeded without a whole report of its backup")
    try:
        return BackupReport(
            path=fields["path"],
            bytes=int(fields["bytes"]),
            sha256=fields["sha256"],
            seconds=int(fields["seconds"]),
            restore_tested=fields["restore_tested"] == "yes",
            kept=int(fields["kept"]),
            removed=int(fields["removed"]),
            retention=fields["retention"],
        )
    except (KeyError, ValueError) as exc:
        raise ProtocolError(record.host, f"job {record.jid}: its backup's report is not understood: {exc}") from exc
