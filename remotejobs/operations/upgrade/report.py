"""What an upgrade changed on a host, read from the end of its output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from remotejobs.agent.request import Read
from remotejobs.errors import ProtocolError
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record

LONGEST = 4 * 1024 * 1024  # bytes of a report: some sixty thousand packages
_LINE = re.compile(r"package (\S+) (\S+) (\S+)")
_HEAD = b"remotejobs-upgrade 1\n"


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A package before and after; "" for one that was not there, or is no more."""

    package: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.package} {self.before or '(new)'} → {self.after or '(removed)'}"


class UpgradeOutcome(StrEnum):
    """How it ended on one host."""

    UPGRADED = "upgraded"
    CURRENT = "nothing to do"
    FAILED = "failed"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUpgrade:
    """What became of one host. `reboot` is why a reboot was, or is, needed, or that this is unknown; `rebooted` is how
    many seconds it took, and `lost` are the jobs that it ended.
    """

    host: str
    outcome: UpgradeOutcome
    changes: tuple[PackageChange, ...] = ()
    reboot: str = ""
    rebooted: float | None = None
    lost: tuple[str, ...] = ()
    reason: str = ""


def changes_of(record: Record, jobs: HostJobs) -> tuple[PackageChange, ...]:
    """The changes at the end of an installation's output; of a long one more is asked for.

    Raises `ProtocolError` when they are not whole, and `HostError`.
    """
    if record.stdout_from and _HEAD not in record.stdout:
        (record,) = jobs.status([Read(record.jid, max_bytes=LONGEST)])
    _, found, tail = record.stdout.rpartition(_HEAD)
    *lines, last = tail.decode("utf-8", "replace").splitlines() or [""]
    changes = [_LINE.fullmatch(line) for line in lines]
    if not found or last != "end" or not all(changes):
        raise ProtocolError(record.host, f"job {record.jid} succeeded without a whole report of its upgrade")
    return tuple(PackageChange(each[1], _version(each[2]), _version(each[3])) for each in changes if each)


def _version(text: str) -> str:
    return "" if text == "-" else text
