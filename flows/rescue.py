"""See to a run that somebody has to see to: its process died, or it is being cancelled and nobody does it."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.recovery.rescue import see_to
from remotejobs.prefect.tasks.recovery.takeover import exit_if_superseded


@flow(name="rescue", flow_run_name="rescue {flow_run_id}", on_running=[exit_if_superseded])
def rescue(flow_run_id: UUID) -> str:
    """Resume a dead run, finish the cancelling of one, or let it be; says what was done.

    Args:
        flow_run_id: The run that fell silent, crashed, or is being cancelled.
    """
    return see_to(flow_run_id)
