"""Recover a run: its process died, or it is being cancelled and no worker does it."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.recovery.recover import name_of_recovery, recover_run
from remotejobs.prefect.tasks.recovery.takeover import exit_if_superseded


@flow(name="recover", flow_run_name=name_of_recovery, on_running=[exit_if_superseded])
def recover(flow_run_id: UUID) -> str:
    """Resume a dead run, finish the cancelling of one, or let it be; says what was done.

    Args:
        flow_run_id: The run that sent no heartbeat, crashed, or is being cancelled.
    """
    return recover_run(flow_run_id)
