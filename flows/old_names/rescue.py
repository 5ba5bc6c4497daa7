"""The old name of `recover`, for projects whose prefect.yaml still has it; gone with the next release."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.recovery.recover import recover_run
from remotejobs.prefect.tasks.recovery.takeover import exit_if_superseded
from remotejobs.renamed import warn_renamed

warn_renamed("remotejobs.prefect.flows.rescue", "recover")


@flow(name="rescue", flow_run_name="rescue {flow_run_id}", on_running=[exit_if_superseded])
def rescue(flow_run_id: UUID) -> str:
    """Do what `recover` does."""
    return recover_run(flow_run_id)
