"""A risky job whose failure is no surprise: what counts as failed, what is ignored, and cleaning up behind it."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from remotejobs.model import Record, State
from tasks.access import Access
from tasks.background import in_background
from tasks.cancel import kill_jobs
from tasks.ends import End, raise_for
from tasks.jobs import run_command
from tasks.notify import NOBODY, Notify, tell


@flow(name="with-rollback", flow_run_name="risky job on {hosts}", on_cancellation=[kill_jobs])
def with_rollback(
    access: Access,
    hosts: Annotated[str, Field(min_length=1)],
    command: str = "/opt/myapp/bin/data-migration",
    prepare: str = "/opt/myapp/bin/prepare-rollback",
    rollback: str = "/opt/myapp/bin/rollback-migration",
    limit: Annotated[int, Field(ge=1)] = 3600,
    poll: Annotated[float, Field(gt=0)] = 15,
    alert: Notify = NOBODY,
) -> End:
    """Run a risky command on one host; when it fails or runs into its limit, roll back and tell the team.

    Args:
        access: Where the hosts are written down, and as whom to work there.
        hosts: The host.
        command: What may fail. It has also failed when it writes ERROR, whatever it returns; 3 is no failure.
        prepare: What is done while it runs.
        rollback: What is done when it failed, once it is sure to run no more.
        limit: Seconds for the command.
        poll: Seconds between two looks at it.
        alert: Whom to tell.
    """
    risky = in_background(command, hosts, access, label="risky", limit=limit, poll=poll, failed_when=_failed)
    run_command(prepare, hosts, access, label="prepare rollback")

    end = risky.end()
    if end.succeeded:
        return end
    if not end.over:  # it may run on, unseen: a rollback beside it would do harm
        raise_for([end])
    happened = "timed out" if end.state == State.TIMED_OUT else "failed"
    run_command(rollback, hosts, access, label="rollback")
    tell(alert, f"{happened}, rolled back", f"risky on {hosts}: {end.reason}")
    raise_for([end])
    return end


def _failed(record: Record) -> bool:
    return record.rc not in (0, 3) or b"ERROR" in record.stdout
