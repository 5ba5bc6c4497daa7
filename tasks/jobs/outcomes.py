"""What an answer about a job means for its task run: how it goes on, what came of it, and the words for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from remotejobs.display.row import progress_line
from remotejobs.errors import HostError, Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Handle, Record, State
from remotejobs.prefect.tasks.access import Access, command_line
from remotejobs.prefect.tasks.jobs.attempt import Attempt
from remotejobs.prefect.tasks.jobs.errors import JobFailed, RetriesExhausted, never_began
from remotejobs.prefect.tasks.jobs.output import last_line
from remotejobs.prefect.tasks.jobs.until import OnExhausted
from remotejobs.text import duration

# Ansible's `failed_when`: true where the job failed. It is asked of a command that ended by itself, and of no other:
# one that ran into its timeout, was killed or was lost has failed whatever it wrote.
FailedWhen = Callable[[Record], bool]


def judged(record: Record, failed_when: FailedWhen | None) -> Record:
    """`record` with the state that `failed_when` gives it; its message says so where the host says otherwise."""
    if failed_when is None or record.state not in (State.SUCCEEDED, State.FAILED):
        return record
    state = State.FAILED if failed_when(record) else State.SUCCEEDED
    if state is record.state:
        return record
    return replace(record, state=state, msg=f"by failed_when of this flow; its host says {record.state}")


def is_unreachable(error: object) -> bool:
    """Whether a host could not be reached that may be reachable a little later."""
    return isinstance(error, Unreachable) and error.transient


def progress_of(handle: Handle, record: Record, attempt: Attempt | None = None) -> str:
    """`dump on db1: running 3.1s, attempt 2 of 241, last line: 40 %`"""
    line, progress = last_line(record), "" if record.finished else progress_line(record)
    said = f"last line: {line}" if line else "no output" if record.finished else "no output yet"
    said = record.msg if record.state is State.QUEUED else said
    words = [f"{record.state} {duration(record.delta)}", str(attempt) if attempt else "", progress, said]
    return f"{handle.label} on {handle.host}: {', '.join(filter(None, words))}"


def success_of(handle: Handle, record: Record, access: Access, failed_when: FailedWhen | None = None) -> Record:
    """The record of a job that ended well, as `failed_when` judges it. Raises `JobFailed`."""
    record = judged(record, failed_when)
    if record.state is not State.SUCCEEDED:
        raise JobFailed(replace(record, label=handle.label), output_of(handle, record, access))
    return record


def given_up(
    jobs: HostJobs, handle: Handle, access: Access, attempt: Attempt, record: Record, on_exhausted: OnExhausted
) -> Record:
    """What becomes of a job that still runs at the last attempt; returns its record if it ended just now by itself.

    Raises `RetriesExhausted`, which says whether it was left running or killed, and how to check it.
    """
    tried = progress_of(handle, record, attempt)
    if on_exhausted == "leave":
        command = f"It was left running; check it with: {command_line('status', handle, access)}"
        raise RetriesExhausted(f"{tried}. {command}", record)
    record = jobs.kill(handle.jid)
    if record.state is not State.KILLED:
        return record
    where = f"Its output: {output_of(handle, record, access)}"
    raise RetriesExhausted(f"{tried}. It was {record.msg}. {where}", record)


def lost_sight(handle: Handle, access: Access, attempt: Attempt, error: HostError) -> RetriesExhausted:
    """The error for a host that was unreachable at the last attempt, or that was not understood."""
    command = command_line("status", handle, access)
    return RetriesExhausted(
        f"{handle.label} on {handle.host}: {attempt}, {error.message}. It may run on; check it with: {command}"
    )


def output_of(handle: Handle, record: Record, access: Access) -> str:
    """The command line that shows of the two streams the one whose end is shown already.

    Of a job that never began it shows what runs there instead.
    """
    if never_began(record):
        return command_line("list", handle, access)
    return command_line("log", handle, access, *(["--stderr"] if record.stderr.strip() else []))
