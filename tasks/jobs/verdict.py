"""When a command counts as failed: Ansible's `failed_when`, as a function of what its host says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from remotejobs.model import Record, State

# True where the job failed. It is asked of a command that ended by itself, and of no other: one that ran into its
# timeout, was killed or was lost has failed whatever it wrote.
FailedWhen = Callable[[Record], bool]


def judged(record: Record, failed_when: FailedWhen | None) -> Record:
    """`record` with the state that `failed_when` gives it; its message says so where the host says otherwise."""
    if failed_when is None or record.state not in (State.SUCCEEDED, State.FAILED):
        return record
    state = State.FAILED if failed_when(record) else State.SUCCEEDED
    if state is record.state:
        return record
    return replace(record, state=state, msg=f"by failed_when of this flow; its host says {record.state}")
