"""What is said of one host in one line: the same five columns in every view."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.jobs.estimate import seconds_left
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record
from remotejobs.text import duration, last_line, one_line


@dataclass(frozen=True, slots=True)
class Row:
    """One host's state, return code with signal, time and message, each fit to be shown."""

    host: str
    state: str
    rc: str
    time: str
    msg: str


def state_of(result: HostResult[Record]) -> str:
    """The state of the job, or `unreachable` or `error` where none is known."""
    if result.value is not None:
        return result.value.state.value
    return "unreachable" if isinstance(result.error, Unreachable) else "error"


def message_of(host: str, error: RemoteJobsError) -> str:
    """What went wrong, without the host's name in front and the remedy behind."""
    return error.message.removeprefix(f"{host}: ")


def progress_line(record: Record) -> str:
    """`40 % copying orders, about 2m05s left`; "" for a job of whose progress nothing is known."""
    left = seconds_left(record)
    said = one_line(str(record.progress)) if record.progress else ""
    return ", ".join(filter(None, (said, f"about {duration(left)} left" if left else "")))


def activity(record: Record, last: str) -> str:
    """What a running job is doing: its progress, and where it says nothing of that, the `last` line that it wrote."""
    return "; ".join(filter(None, (progress_line(record), "" if record.progress else last)))


def row_of(result: HostResult[Record]) -> Row:
    record, error = result.value, result.error
    if record is None:
        msg = message_of(result.host, error) if error else ""
        return Row(one_line(result.host), state_of(result), "", "", one_line(msg))
    rc = "" if record.rc is None else str(record.rc)
    if record.signal:
        rc = f"{rc} ({record.signal})".strip()
    said = f"{record.msg} ({record.proof})" if record.proof else record.msg
    msg = said or ("" if record.finished else activity(record, last_line(record.stdout)))
    if not record.changed:
        msg = "; ".join(filter(None, ("had ended before", msg)))
    return Row(one_line(result.host), state_of(result), rc, duration(record.delta), one_line(msg))
