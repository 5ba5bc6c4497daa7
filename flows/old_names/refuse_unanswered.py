"""The old name of `expire_approval`, for projects whose prefect.yaml still has it; gone with the next release."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.approval import expire
from remotejobs.renamed import warn_renamed

warn_renamed("remotejobs.prefect.flows.refuse_unanswered", "expire_approval")


@flow(name="refuse-unanswered")
def refuse_unanswered(flow_run_id: UUID, question: str) -> bool:
    """Do what `expire-approval` does."""
    return expire(flow_run_id, question)
