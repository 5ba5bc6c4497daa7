"""Say no in place of a person who did not answer in time; scheduled by a run that waits for approval."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from tasks.approval import refuse


@flow(name="refuse-unanswered")
def refuse_unanswered(flow_run_id: UUID) -> bool:
    """Refuse a run if it still waits for approval; tells whether it did.

    Args:
        flow_run_id: The run that waits.
    """
    return refuse(flow_run_id)
