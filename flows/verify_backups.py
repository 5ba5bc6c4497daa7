"""Verify the backups that lie on hosts: checksum and format of all, and a restore of one in so many."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from remotejobs.operations.backup import Verify
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.backups.verifications import Verified, result_and_row, steps_of_verify, verified_of
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow, run_jobs, select_hosts
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.runs.options import OnCancel

ALL_OF_THEM = Verify()


@remote_flow("verify-backups", run_name="verify backups on {hosts}")
def verify_backups(
    access: Access,
    hosts: HostPattern,
    verify: Verify = ALL_OF_THEM,
    poll: Annotated[float, Field(ge=1)] = 60,
    on_cancel: OnCancel = "kill",  # noqa: ARG001 - the hook reads it
    notify: Notify = NOBODY,  # noqa: ARG001 - the hooks read it
) -> list[Verified]:
    """Verify the backups of every host of a pattern; fail, naming the hosts where one is damaged or cannot be read.

    Args:
        hosts: Hosts whose backups are verified, as a pattern: all, databases.
        verify: Which backups, and how closely.
        poll: Seconds between two polls of a running job.
        on_cancel: What becomes of its jobs when it is cancelled: kill them, with proof, or leave them running.
    """
    steps = steps_of_verify(verify, select_hosts(access, hosts), poll)
    title = f"Backups that were verified in {verify.directory}"
    return run_jobs(steps, access, title=title, result=verified_of, reported=result_and_row)
