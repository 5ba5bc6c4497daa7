"""How polling a job can end badly. Each can be pickled, as Prefect may do with a task's result."""

from __future__ import annotations

from collections.abc import Sequence

from remotejobs.errors import RemoteJobsError
from remotejobs.model import Record, State
from remotejobs.text import duration, visible

RAN_LINES = 20  # of the processes that a timeout ended


class StillRunning(RemoteJobsError):
    """The only end of a poll that Prefect tries again; its message is what people read in the UI."""

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="")


class JobFailed(RemoteJobsError):
    """A job ended without success: `record` says how. A retried flow run attaches to it; a new one runs it again.

    `log_command` is the command line that shows its output, or of a job that never began what runs there; "" for none.
    """

    def __init__(self, record: Record, log_command: str = "") -> None:
        self.record = record
        self.log_command = log_command
        super().__init__(describe_end(record, log_command), remedy="")

    def __reduce__(self) -> tuple[type[JobFailed], tuple[Record, str]]:
        return type(self), (self.record, self.log_command)


class RetriesExhausted(RemoteJobsError):
    """A job had not ended after the last poll; `record` is what is known about it, or None."""

    def __init__(self, message: str, record: Record | None = None) -> None:
        self.record = record
        super().__init__(message, remedy="")

    def __reduce__(self) -> tuple[type[RetriesExhausted], tuple[str, Record | None]]:
        return type(self), (self.message, self.record)


class HostsFailed(RemoteJobsError):
    """Some of a flow's jobs or hosts failed; the others were not stopped for it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="")


class HostsUnreachable(RemoteJobsError):
    """Some hosts of a group could not be reached, and may be reachable a little later: the group is tried again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, remedy="")


class GroupFailed(HostsFailed):
    """Not all jobs of a group did well. `outcomes` has of each, in their order, its record or handle, or the error."""

    def __init__(self, message: str, outcomes: Sequence[object]) -> None:
        self.outcomes = tuple(outcomes)
        super().__init__(message)


def never_began(record: Record) -> bool:
    """Whether its queue timeout ended it before its turn came."""
    return record.state is State.TIMED_OUT and not record.start


def describe_end(record: Record, log_command: str = "") -> str:
    """`pg_dump orders on db1: failed, rc 1 after 2.1s`, the reason, where its log is, and the last lines of output.

    All in printable characters; the output begins on a line of its own.
    """
    how = [str(record.state), f"rc {record.rc}" if record.rc is not None else "", record.cause, record.signal or ""]
    after = f" after {duration(record.delta)}" if record.delta is not None else ""
    head = f"{record.label or record.jid} on {record.host}: {', '.join(word for word in how if word)}{after}"
    shows = "What runs there" if never_began(record) else "Its output"
    where = f". {shows}: {log_command}" if log_command else ""
    said = visible(record.last_lines)
    ran = (
        "\n".join(["\nWhat ran when it was ended:", *record.processes.splitlines()[:RAN_LINES]])
        if record.processes
        else ""
    )
    return "".join([head, f" ({record.msg})" if record.msg else "", where, f"\n{said}" if said else "", visible(ran)])
