"""How looking after a job can end badly. Each can be pickled, as Prefect may do with a task's result."""

from __future__ import annotations

from remotejobs.display.text import visible
from remotejobs.errors import RemoteJobsError
from remotejobs.model import Record


class StillRunning(RemoteJobsError):
    """The only end of a look that Prefect tries again; its message is what people read in the UI."""

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="")


class JobFailed(RemoteJobsError):
    """A job ended, and not well: `record` tells how. A retried flow run attaches to it; a new one runs it again."""

    def __init__(self, record: Record) -> None:
        self.record = record
        super().__init__(describe_end(record), remedy="")

    def __reduce__(self) -> tuple[type[JobFailed], tuple[Record]]:
        return type(self), (self.record,)


class RetriesExhausted(RemoteJobsError):
    """A job had not ended when the last look was over; `state` is what is known of it, "" for nothing."""

    def __init__(self, message: str, state: str = "") -> None:
        self.state = state
        super().__init__(message, remedy="")

    def __reduce__(self) -> tuple[type[RetriesExhausted], tuple[str, str]]:
        return type(self), (self.message, self.state)


class HostsFailed(RemoteJobsError):
    """Some of a flow's jobs or hosts failed; the others were not stopped for it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="")


def describe_end(record: Record) -> str:
    """`pg_dump orders on db1: failed, rc 1` with the reason and the last lines, in printable characters only."""
    how = [str(record.state), f"rc {record.rc}" if record.rc is not None else "", record.cause, record.signal or ""]
    head = f"{record.label or record.jid} on {record.host}: {', '.join(word for word in how if word)}"
    said = visible(record.last_lines)
    return "".join([head, f" ({record.msg})" if record.msg else "", f"\n{said}" if said else ""])
