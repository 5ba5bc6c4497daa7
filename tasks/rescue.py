"""A run whose process is dead begins anew on any worker; one that nobody cancels is cancelled here.

Everything is asked of the server and of the hosts, so it does not matter on which machine this runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus, StateAcceptDetails
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import AwaitingRetry, Cancelled, Running

from remotejobs.errors import RemoteJobsError
from tasks.cancel_here import cancel_here
from tasks.signs_of_life import is_heard, last_log, wait_until, was_heard

_RESUMES = 5  # within an hour; then something is wrong that another try does not mend
_WITHIN = timedelta(hours=1)
_BECAUSE = "Its process is dead"
# From taking a run to beginning it a worker may need so long.
BEGINS_WITHIN = timedelta(seconds=150)
# A worker that cancels a run logs what becomes of each job; one that says nothing for so long is not doing it.
_CANCELS_IN_SILENCE = timedelta(seconds=45)
_ENDS_ITSELF_WITHIN = timedelta(minutes=3)
_HOOKS_TAKE_AT_MOST = timedelta(hours=1)  # as in deployments/server.env


class DiesAgain(RemoteJobsError):
    """Find out from its log, and from that of its worker, what kills it; then retry it in the UI."""


class NotResumed(RemoteJobsError):
    """Nobody goes on with it: retry it in the UI."""


def see_to(run_id: UUID, *, since: datetime | None = None) -> str:
    """Do for a run what is to be done in the state that it is in; says what that was.

    A sign of life counts that the server received after `since`, by its clock; None: after it made the run under way,
    which it did because of what it heard, or did not hear. Raises `DiesAgain` and `NotResumed`.
    """
    with get_client(sync_client=True) as client:
        try:
            run = client.read_flow_run(run_id)
        except ObjectNotFound:
            return "there is no such run any more"
        done = _see_to(client, run, since or client.read_flow_run(UUID(flow_run.id)).created or datetime.now(UTC))
    get_run_logger().info("%s: %s", run.name, done)
    return done


def _see_to(client: SyncPrefectClient, run: FlowRun, since: datetime) -> str:
    match _type(run):
        case StateType.RUNNING | StateType.CRASHED:
            return _revive(client, run, since)
        case StateType.PENDING:
            return _begin(client, run)
        case StateType.CANCELLING:
            return _finish_cancelling(client, run)
        case _:
            return f"nothing to do: it is {run.state.name if run.state else 'new'}"


def _revive(client: SyncPrefectClient, run: FlowRun, since: datetime) -> str:
    """Resume it if its process is dead. A worker may report an earlier process's death once more, over the new one."""
    if was_being_cancelled(client.read_flow_run_states(run.id)):
        return _finish_cancelling(client, run)
    lives = is_heard(client, run.id, since=since)
    now = client.read_flow_run(run.id)
    if _state(now) != _state(run):
        return _nothing_any_more(now)
    if not lives:
        return resume(client, now)
    if _type(now) is StateType.RUNNING:
        return "it lives"
    client.set_flow_run_state(run.id, Running(message="It was reported dead, but its process lives"), force=True)
    return "it was reported dead, but lives: it is Running again"


def _begin(client: SyncPrefectClient, run: FlowRun) -> str:
    """A worker took it; begin it anew if that worker never gets to it."""
    taken = run.state.timestamp if run.state else datetime.now(UTC)

    def begun() -> bool:
        return _type(client.read_flow_run(run.id)) is not StateType.PENDING

    if wait_until(begun, until=taken + BEGINS_WITHIN):
        return "its worker got to it"
    now = client.read_flow_run(run.id)
    # Another one may have resumed it by now, and a worker taken it anew.
    return resume(client, now) if now.state and now.state.timestamp <= taken + BEGINS_WITHIN else _nothing_any_more(now)


def resume(client: SyncPrefectClient, run: FlowRun) -> str:
    """Let any worker go on with a run whose process is dead. Raises `DiesAgain`, or `NotResumed` if it may not."""
    recent = datetime.now(UTC) - _WITHIN
    states = [state for state in client.read_flow_run_states(run.id) if state.timestamp > recent]
    resumed = sum((state.message or "").startswith(_BECAUSE) for state in states)
    if resumed >= _RESUMES:
        raise DiesAgain(f"{run.name} ({run.id}) was resumed {resumed} times within an hour, and its process died again")
    anew: State[Any] = AwaitingRetry(message=f"{_BECAUSE}: any worker goes on with it")
    answer = client.set_flow_run_state(run.id, anew)
    if answer.status is not SetStateStatus.ACCEPT:
        why = "" if isinstance(answer.details, StateAcceptDetails) else answer.details.reason
        raise NotResumed(f"{run.name} ({run.id}): its process is dead, and the server did not let it be resumed: {why}")
    return f"its process is dead: it was resumed, {resumed + 1} of at most {_RESUMES} times"


def _finish_cancelling(client: SyncPrefectClient, run: FlowRun) -> str:
    """Wait for its worker as long as that is at it; without one, end the jobs here."""
    asked = run.state.timestamp if run.state else datetime.now(UTC)

    def over() -> bool:
        return _type(client.read_flow_run(run.id)) is not _type(run)

    def deserted() -> bool:
        now = datetime.now(UTC)
        if last_log(client, run.id, since=asked) + _CANCELS_IN_SILENCE > now:
            return False
        # A process whose worker is gone ends itself. It is waited for, so that it does not act on what is done here.
        return not was_heard(client, run.id) or now > asked + _ENDS_ITSELF_WITHIN

    wait_until(lambda: over() or deserted(), until=asked + _HOOKS_TAKE_AT_MOST)
    if over():
        return "it is over: its worker saw to it"
    line = cancel_here(client, run)
    client.set_flow_run_state(run.id, Cancelled(message=line), force=True)
    return f"no worker cancelled it, so it was done here. {line}"


def was_being_cancelled(states: Sequence[State[Any]]) -> bool:
    """Whether somebody cancelled the run since it was scheduled last: then no death of its process is to be mended.

    A process may die of its cancelling, and be reported Crashed.
    """
    asked = [state.timestamp for state in states if state.is_cancelling()]
    scheduled = [state.timestamp for state in states if state.is_scheduled()]
    return bool(asked) and (not scheduled or max(asked) > max(scheduled))


def _type(run: FlowRun) -> StateType | None:
    return run.state.type if run.state else None


def _state(run: FlowRun) -> UUID | None:
    """Two states of one type are not the same: in between, another process may have begun."""
    return run.state.id if run.state else None


def _nothing_any_more(run: FlowRun) -> str:
    return f"nothing to do any more: it is {run.state.name if run.state else 'new'}"
