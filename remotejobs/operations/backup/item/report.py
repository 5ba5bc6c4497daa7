"""What a finished backup job says of its backup, read from the end of its output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remotejobs.errors import ProtocolError
from remotejobs.model import Record
from remotejobs.text import visible

_HEAD = b"remotejobs-backup 1\n"
_WARNING = "warning="


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """A backup that passed its checks: where it is on its host, what is amiss with it, and what retention did after it.

    `warnings` are for people. `untested` says why the restore test that was asked for could not be made; the backup
    is then not `restore_tested`. `incomplete` is one from which something is missing that could not be read.

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
    untested: str = ""
    incomplete: bool = False
    warnings: tuple[str, ...] = ()


def report_of(record: Record) -> BackupReport:
    """The report at the end of a job's output. Raises `ProtocolError` when it is not whole."""
    fields, lines = whole_report(record, _HEAD, "backup")
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
            # A job outlives its controller: the report of an older one has none of these.
            untested=visible(fields.get("untested", "")),
            incomplete=fields.get("incomplete") == "yes",
            warnings=warnings_in(lines),
        )
    except (KeyError, ValueError) as exc:
        raise ProtocolError(record.host, f"job {record.jid}: its backup's report is not understood: {exc}") from exc


def whole_report(record: Record, head: bytes, what: str) -> tuple[dict[str, str], list[str]]:
    """The fields of the report that begins with the line `head`, and its lines."""
    _, found, tail = record.stdout.rpartition(head)
    lines = tail.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")  # a name may hold U+2028
    if not found or not lines or lines[-1] != "end":
        raise ProtocolError(record.host, f"job {record.jid} {record.state} without a whole report of its {what}")
    return dict(line.partition("=")[::2] for line in lines), lines


def warnings_in(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(visible(line.removeprefix(_WARNING)) for line in lines if line.startswith(_WARNING))
