"""A risky job whose failure is no surprise: what counts as failed, what is ignored, and cleaning up behind it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.prefect import (
    Access,
    HostPattern,
    JobResult,
    Record,
    State,
    in_background,
    raise_for,
    remote_flow,
    run_command,
)
from remotejobs.prefect.tasks.notify import NOBODY, Notify, send_notification


@remote_flow("with-rollback", run_name="risky job on {hosts}", renamed={"limit": "timeout"})
def with_rollback(
    access: Access,
    hosts: HostPattern,
    command: str = "/opt/myapp/bin/data-migration",
    prepare: str = "/opt/myapp/bin/prepare-rollback",
    rollback: str = "/opt/myapp/bin/rollback-migration",
    timeout: Annotated[int, Field(ge=1)] = 3600,
    poll: Annotated[float, Field(gt=0)] = 15,
    alert: Notify = NOBODY,
) -> JobResult:
    """Run a risky command on one host; when it fails or runs into its timeout, roll back and notify the team.

    Args:
        hosts: The host.
        command: What may fail. It has also failed when it writes ERROR, whatever it returns; 3 is no failure.
        prepare: What is done while it runs.
        rollback: What is done when it failed, once it is sure to run no more.
        timeout: Seconds for the command.
        poll: Seconds between two polls of it.
        alert: Whom to notify.
    """
    risky = in_background(command, hosts, access, label="risky", timeout=timeout, poll=poll, failed_when=_failed)
    run_command(prepare, hosts, access, label="prepare rollback")

    result = risky.result()
    if result.succeeded:
        return result
    if not result.over:  # it may run on, unseen: a rollback beside it would do harm
        raise_for([result])
    happened = "timed out" if result.state == State.TIMED_OUT else "failed"
    run_command(rollback, hosts, access, label="rollback")
    send_notification(alert, f"{happened}, rolled back", f"risky on {hosts}: {result.reason}")
    raise_for([result])
    return result


def _failed(record: Record) -> bool:
    return record.rc not in (0, 3) or b"ERROR" in record.stdout
