"""Asking a person in the UI, without a process that waits: the run is suspended, and begins anew with the answer."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import resume_flow_run, suspend_flow_run
from prefect.input import RunInput, keyset_from_paused_state, read_flow_run_input
from prefect.runtime import deployment, flow_run
from prefect.states import Suspended
from pydantic import BaseModel, ConfigDict, Field

EXPIRY = "expire-approval/expire-approval"
_OLD_EXPIRY = "refuse-unanswered/refuse-unanswered"  # for one release
# Prefect would fail a run that was not refused in time; that is left to a worker that was away for very long.
_PREFECT_WAITS_LONGER = timedelta(days=30)
_A_YEAR = 365 * 24 * 60  # minutes


class Approval(BaseModel):
    """Whether a person has to agree before anything is changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    needed: bool = Field(default=False, description="Wait, after the preflight, until a person agrees in the UI.")
    within_minutes: float = Field(
        default=24 * 60,
        gt=0,
        le=_A_YEAR,
        description="Minutes to wait for an answer, at most a year; none until then is a no.",
    )


NOT_NEEDED = Approval()


class ApprovalForm(RunInput):
    """The form behind *Resume*."""

    approve: bool = Field(default=False, description="Go ahead? Without it the run is refused and nothing is changed.")
    reason: str = Field(default="", description="Why; it is kept in the run's log.")


def ask(approval: Approval, question: str) -> str:
    """Wait for a person's yes or no to `question` (markdown). Returns why not; "" for a yes, or when none is needed.

    The first time this ends the process; in the run that begins anew with the answer it returns. An answer holds as
    long as there is the run, whatever becomes of its processes, but only for the question that was answered.
    """
    if not approval.needed:
        return ""
    if deployment.id is None:
        return "approval was asked for, but only a run of a deployment can wait for it"
    key = _key_of(question)
    answer = _given(key)
    if answer is None:
        if not _expire_at(datetime.now(UTC) + timedelta(minutes=approval.within_minutes), key):
            return (
                f"the deployment {EXPIRY}, which ends the wait for approval, is not known: run `prefect deploy --all`"
            )
        answer = _wait(approval, question, key)
    get_run_logger().info("answered: %s. %s", "yes" if answer.approve else "no", answer.reason)
    return "" if answer.approve else f"not approved: {answer.reason or 'no reason was given'}"


def expire(waiting: UUID, question: str) -> bool:
    """Refuse a run that still waits for the answer to `question` (its key); False when it no longer waits."""
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(waiting).state
        except ObjectNotFound:
            return False
    if state is None or not state.is_paused() or state.state_details.pause_key != question:
        return False
    resume_flow_run(waiting, run_input={"approve": False, "reason": "no answer in time"})
    return True


def _key_of(question: str) -> str:
    """What Prefect files the question under. Other hosts make another question, which no earlier yes answers."""
    return f"approval-{sha256(question.encode()).hexdigest()[:16]}"


def _given(key: str) -> ApprovalForm | None:
    """The answer that this run has. After a crash Prefect knows no more that it has asked, but the answer is there.

    It has to be looked for first: to suspend the run once more would delete it.
    """
    answer = read_flow_run_input(keyset_from_paused_state(Suspended(pause_key=key))["response"])
    return ApprovalForm.model_validate(answer) if answer else None


def _wait(approval: Approval, question: str, key: str) -> ApprovalForm:
    waits = timedelta(minutes=approval.within_minutes) + _PREFECT_WAITS_LONGER
    form = ApprovalForm.with_initial_data(description=question)
    return suspend_flow_run(wait_for_input=form, key=key, timeout=int(waits.total_seconds()))


def _expire_at(deadline: datetime, key: str) -> bool:
    """Schedule the expiry; once for each attempt, of which a resumed run is none. False when nothing can be scheduled.

    A retried attempt may ask again, perhaps when the first expiry has long run to no effect.
    """
    for name in (EXPIRY, _OLD_EXPIRY):
        with suppress(ObjectNotFound):
            run_deployment(
                name,
                parameters={"flow_run_id": flow_run.id, "question": key},
                scheduled_time=deadline,
                flow_run_name=f"expire {flow_run.name}",
                timeout=0,
                as_subflow=False,
                idempotency_key=f"{key} {flow_run.id} {flow_run.run_count}",
            )
            return True
    return False
