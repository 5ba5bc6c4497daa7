"""End the wait for an approval that was not given in time; scheduled by the run that waits for it."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.approval import expire


@flow(name="expire-approval")
def expire_approval(flow_run_id: UUID, question: str) -> bool:
    """Refuse a run if it still waits for approval; returns whether it did.

    Args:
        flow_run_id: The run that waits.
        question: What it asked, by the key that Prefect has for it; another question of the run is left open.
    """
    return expire(flow_run_id, question)
