"""What an upgrade changed on a host, read from the end of its output."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from remotejobs.errors import ProtocolDamaged
from remotejobs.model import Record

_HEAD = b"remotejobs-upgrade 1\n"


@dataclass(frozen=True, slots=True)
class Change:
    """A package before and after; "" for one that was not there, or is no more."""

    package: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.package} {self.before or '(new)'} → {self.after or '(removed)'}"


class Outcome(StrEnum):
    """How it ended on one host."""

    UPGRADED = "upgraded"
    CURRENT = "nothing to do"
    FAILED = "failed"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUpgrade:
    """What became of one host. `reboot` is why a reboot was, or is, needed; `rebooted` is how many seconds it took."""

    host: str
    outcome: Outcome
    changes: tuple[Change, ...] = ()
    reboot: str = ""
    rebooted: float | None = None
    lost: tuple[str, ...] = ()
    reason: str = ""


def changes_of(record: Record) -> tuple[Change, ...]:
    """The changes at the end of an installation's output. Raises `ProtocolDamaged` when they are not whole."""
    _, found, tail = record.stdout.rpartition(_HEAD)
    lines = tail.decode("utf-8", "replace").splitlines()
    if not found or not lines or lines[-1] != "end":
        raise ProtocolDamaged(record.host, f"job {record.jid} succeeded without a whole report of its upgrade")
    words = [line.split() for line in lines[:-1]]
    return tuple(Change(name, _version(before), _version(after)) for _, name, before, after in words)


def _version(text: str) -> str:
    return "" if text == "-" else text
