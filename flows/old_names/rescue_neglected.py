"""The old name of `recover_stuck_runs`, for projects whose prefect.yaml still has it; gone with the next release."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.recovery.stuck_runs import recover_all_stuck_runs
from remotejobs.renamed import warn_renamed

warn_renamed("remotejobs.prefect.flows.rescue_neglected", "recover_stuck_runs")


@flow(name="rescue-neglected")
def rescue_neglected() -> dict[UUID, str]:
    """Do what `recover-stuck-runs` does."""
    return recover_all_stuck_runs()
