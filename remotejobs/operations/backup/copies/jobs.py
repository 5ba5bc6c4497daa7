"""A job of a copy, at one of its ends, and what it says where it did not end well."""

from __future__ import annotations

from remotejobs.errors import FileRefused
from remotejobs.jobs.wait import retry_while_unreachable, wait_until_ended
from remotejobs.model import Job, Record, State
from remotejobs.operations.transfer.steps import CONTACT_TIMEOUT, Ends
from remotejobs.text import one_line


def done(ends: Ends, job: Job) -> Record:
    """The record of a job that succeeded. Raises `FileRefused`."""
    retry_while_unreachable(lambda: ends.jobs.start(job), contact_timeout=CONTACT_TIMEOUT)
    record = wait_until_ended(ends.jobs, job.jid, news=False, contact_timeout=CONTACT_TIMEOUT)
    if record.state is not State.SUCCEEDED:
        why = ": ".join(filter(None, [record.msg, one_line(record.last_lines)]))
        raise FileRefused(record.host, f"{job.label}: {record.state}: {why}", remedy="")
    return record
