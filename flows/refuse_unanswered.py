"""Say no in place of a person who did not answer in time; scheduled by a run that waits for approval."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.approval import refuse


@flow(name="refuse-unanswered")
def refuse_unanswered(flow_run_id: UUID, question: str) -> bool:
    """Refuse a run if it still waits for approval; tells whether it did.

    Args:
        flow_run_id: The run that waits.
        question: What it asked, by the key that Prefect has for it; another question of the run is left open.
    """
    return refuse(flow_run_id, question)
