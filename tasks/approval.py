"""Asking a person in the UI, without a process that waits: the run is suspended, and begins anew with the answer.

The UI shows of a suspended run neither that it needs an answer nor where one gives it. So the run's name, its log, the
message of its state and an artifact say so. The answer has no default, and the server takes none that was not chosen.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal, NoReturn
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.responses import SetStateStatus
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, Pause
from prefect.flow_runs import resume_flow_run
from prefect.input import RunInput, keyset_from_paused_state, read_flow_run_input
from prefect.runtime import deployment, flow_run
from prefect.states import Suspended
from pydantic import BaseModel, ConfigDict, Field

from remotejobs.errors import RemoteJobsError
from remotejobs.workarounds.prefect.run_page import page_of

Answer = Literal["approve: go ahead", "refuse: change nothing"]
APPROVE: Answer = "approve: go ahead"
REFUSE: Answer = "refuse: change nothing"
WAITS = " (waits for approval)"  # at the end of a run's name

EXPIRY = "expire-approval/zz-expire-approval"
_OLD_EXPIRIES = ("expire-approval/expire-approval", "refuse-unanswered/refuse-unanswered")  # for one release
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

    answer: Answer = Field(title="Your answer", description="Choose one: nothing happens before you do.")
    reason: str = Field(default="", title="Why", description="It is kept in the run's log.")


class NotSuspended(RemoteJobsError):
    """Retry the run: it asks again."""


def cannot_wait(approval: Approval) -> str:
    """Why this run could not wait for the approval, if one is needed; "" when it can."""
    if not approval.needed or deployment.id is not None:
        return ""
    return "approval was asked for, but only a run of a deployment can wait for it"


def is_answered(approval: Approval, about: str) -> bool:
    """Whether a person has answered, yes or no, what `ask` asks `about`."""
    return approval.needed and _given(_key_of(about)) is not None


def ask(approval: Approval, question: str, *, about: str = "") -> str:
    """Wait for a person's yes or no to `question` (markdown). Returns why not; "" for a yes, or when none is needed.

    The first time this ends the process; in the run that begins anew with the answer it returns. An answer holds as
    long as there is the run, whatever becomes of its processes, but only for the question that was answered: for the
    same `about`, where the question has figures in it that differ from time to time.
    """
    if not approval.needed:
        return ""
    if no := cannot_wait(approval):
        return no
    key = _key_of(about or question)
    answer = _given(key)
    if answer is None:
        if not _expire_at(datetime.now(UTC) + timedelta(minutes=approval.within_minutes), key):
            return (
                f"the deployment {EXPIRY}, which ends the wait for approval, is not known: run `prefect deploy --all`"
            )
        _wait(approval, question, key)
    _call(str(flow_run.name).removesuffix(WAITS))
    approved = answer.answer == APPROVE
    get_run_logger().info("answered: %s. %s", "approve" if approved else "refuse", answer.reason)
    return "" if approved else f"not approved: {answer.reason or 'no reason was given'}"


def expire(waiting: UUID, question: str) -> bool:
    """Refuse a run that still waits for the answer to `question` (its key); False when it no longer waits."""
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(waiting).state
        except ObjectNotFound:
            return False
    if state is None or not state.is_paused() or state.state_details.pause_key != question:
        return False
    reason = {"reason": "no answer in time"}
    try:
        resume_flow_run(waiting, run_input={"answer": REFUSE, **reason})
    except RuntimeError:  # for one release: the form that it waits with is the one before this
        resume_flow_run(waiting, run_input={"approve": False, **reason})
    return True


def _key_of(question: str) -> str:
    """What Prefect files the question under. Other hosts make another question, which no earlier yes answers."""
    return f"approval-{sha256(question.encode()).hexdigest()[:16]}"


def _given(key: str) -> ApprovalForm | None:
    """The answer that this run has. After a crash Prefect knows no more that it has asked, but the answer is there.

    It has to be looked for first: to suspend the run once more would delete it.
    """
    answer: Any = read_flow_run_input(keyset_from_paused_state(Suspended(pause_key=key))["response"])
    if not answer:
        return None
    if "approve" in answer:  # for one release: given in the form before this one
        answer = {"answer": APPROVE if answer["approve"] else REFUSE, "reason": answer.get("reason", "")}
    return ApprovalForm.model_validate(answer)


def _wait(approval: Approval, question: str, key: str) -> NoReturn:
    """Suspend the run and leave it, as Prefect's `suspend_flow_run` does; but say in its state what it waits for."""
    wait = timedelta(minutes=approval.within_minutes)
    until = f"{datetime.now(UTC) + wait:%Y-%m-%d %H:%M} UTC"
    words = f"Waits for approval until {until}; no answer until then is a no. Answer by ⋮ > Resume"
    page = page_of(flow_run.id)
    link = f"[{words}]({page})" if page else words
    create_markdown_artifact(f"{link}\n\n{question}", key="approval", description="Waits for approval")
    get_run_logger().warning("%s%s", words, f": {page}" if page else "")
    name = str(flow_run.name).removesuffix(WAITS)
    state: RunState[Any] = Suspended(
        timeout_seconds=int((wait + _PREFECT_WAITS_LONGER).total_seconds()), pause_key=key, message=words
    )
    keyset = keyset_from_paused_state(state)
    state.state_details.run_input_keyset = {str(part): name for part, name in keyset.items()}
    with get_client(sync_client=True) as client:
        answer = client.set_flow_run_state(UUID(flow_run.id), state)
    if answer.status is not SetStateStatus.ACCEPT or answer.state is None:
        raise NotSuspended(f"{name} could not be suspended to wait for approval: {answer.details}")
    # Not before: what is there when the state is set, the server takes for an earlier attempt's, and deletes.
    ApprovalForm.with_initial_data(description=question).save(keyset)
    _call(f"{name}{WAITS}")
    raise Pause(state=answer.state)


def _call(name: str) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(UUID(flow_run.id), name)


def _expire_at(deadline: datetime, key: str) -> bool:
    """Schedule the expiry; once for each attempt, of which a resumed run is none. False when nothing can be scheduled.

    A retried attempt may ask again, perhaps when the first expiry has long run to no effect.
    """
    for name in (EXPIRY, *_OLD_EXPIRIES):
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
