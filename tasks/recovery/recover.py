"""A run whose process is dead begins anew on any worker; one that no worker cancels is cancelled here.

Everything is asked of the server and of the hosts, so it does not matter on which machine this runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus, StateAcceptDetails
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import AwaitingRetry, Running

from remotejobs.errors import RemoteJobsError
from remotejobs.prefect.tasks.cancel.last_word import set_cancelled
from remotejobs.prefect.tasks.recovery.cancel_here import cancel_here
from remotejobs.prefect.tasks.recovery.heartbeats import await_heartbeat, has_recent_heartbeat, last_log, wait_until
from remotejobs.prefect.tasks.recovery.takeover import put_back_end
from remotejobs.prefect.tasks.timings import timings
from remotejobs.workarounds.prefect.stale_cancel import was_cancelled_over_retry

_RESUMES = 5  # within an hour; then something is wrong that another try does not mend
_WITHIN = timedelta(hours=1)
_HOOKS_TAKE_AT_MOST = timedelta(hours=1)  # as in deployments/server.env


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a run is resumed, and what has happened once more when that was of no use."""

    why: str
    again: str


_DEAD = _Reason("Its process is dead", "its process died again")
_CANCELLED_OVER_RETRY = _Reason(
    "Its worker cancelled it for a request from before its retry", "its worker cancelled it again without being asked"
)


class CrashLoop(RemoteJobsError):
    """Find out from its log, and from that of its worker, what kills it; then retry it in the UI."""


class NotResumed(RemoteJobsError):
    """No process goes on with it: retry it in the UI."""


def name_of_recovery() -> str:
    """`recover nightly-backup of 6 items`: by the name of the run that is recovered."""
    run_id = flow_run.parameters["flow_run_id"]
    try:
        with get_client(sync_client=True) as client:
            return f"recover {client.read_flow_run(UUID(str(run_id))).name}"
    except (ObjectNotFound, httpx.HTTPError):
        return f"recover {run_id}"


def recover_run(run_id: UUID, *, since: datetime | None = None) -> str:
    """Do for a run what is to be done in the state that it is in; returns what that was.

    A heartbeat counts if the server received it after `since`, by its clock; None: after it made the run under way,
    which it did because of events that it received, or missed. Raises `CrashLoop` and `NotResumed`.
    """
    with get_client(sync_client=True) as client:
        try:
            run = client.read_flow_run(run_id)
        except ObjectNotFound:
            return "there is no such run any more"
        done = _recover_run(client, run, since or client.read_flow_run(UUID(flow_run.id)).created or datetime.now(UTC))
    get_run_logger().info("%s: %s", run.name, done)
    return done


def _recover_run(client: SyncPrefectClient, run: FlowRun, since: datetime) -> str:
    match _type(run):
        case StateType.RUNNING | StateType.CRASHED:
            return _revive(client, run, since)
        case StateType.PENDING:
            return _begin(client, run)
        case StateType.CANCELLING:
            return _finish_cancelling(client, run)
        case StateType.CANCELLED:
            states = client.read_flow_run_states(run.id)
            if was_cancelled_over_retry(*_since_scheduled(states)):
                return resume(client, run, _CANCELLED_OVER_RETRY)
            return _finish_cancelling(client, run) if was_cut_short(states) else "nothing to do: it is Cancelled"
        case _:
            return f"nothing to do: it is {run.state.name if run.state else 'new'}"


def _revive(client: SyncPrefectClient, run: FlowRun, since: datetime) -> str:
    """Resume it if its process is dead. A worker may report an earlier process's death once more, over the new one."""
    if was_being_cancelled(client.read_flow_run_states(run.id)):
        return _finish_cancelling(client, run)
    lives = await_heartbeat(client, run.id, since=since)
    now = client.read_flow_run(run.id)
    if _state(now) != _state(run):
        return _nothing_any_more(now)
    if not lives:
        return resume(client, now)
    if _type(now) is StateType.RUNNING:
        return "it lives"
    client.set_flow_run_state(run.id, Running(message="It was reported dead, but its process lives"), force=True)
    again = client.read_flow_run(run.id).state
    if again and again.is_running() and put_back_end(client, run.id, again):
        return "it was reported dead, but lived, and ended just now"
    return "it was reported dead, but lives: it is Running again"


def _begin(client: SyncPrefectClient, run: FlowRun) -> str:
    """A worker took it; begin it anew if that worker never gets to it."""
    taken = run.state.timestamp if run.state else datetime.now(UTC)
    late = taken + timedelta(seconds=timings().start_timeout)

    def started() -> bool:
        return _type(client.read_flow_run(run.id)) is not StateType.PENDING

    if wait_until(started, until=late):
        return "its worker got to it"
    now = client.read_flow_run(run.id)
    # Another one may have resumed it by now, and a worker taken it anew.
    return resume(client, now) if now.state and now.state.timestamp <= late else _nothing_any_more(now)


def resume(client: SyncPrefectClient, run: FlowRun, reason: _Reason = _DEAD) -> str:
    """Let any worker go on with a run that no process works on. Raises `CrashLoop`, or `NotResumed` if it may not."""
    recent = datetime.now(UTC) - _WITHIN
    states = [state for state in client.read_flow_run_states(run.id) if state.timestamp > recent]
    resumed = sum((state.message or "").startswith(reason.why) for state in states)
    if resumed >= _RESUMES:
        raise CrashLoop(f"{run.name} ({run.id}) was resumed {resumed} times within an hour, and {reason.again}")
    anew: State[Any] = AwaitingRetry(message=f"{reason.why}: any worker goes on with it")
    answer = client.set_flow_run_state(run.id, anew)
    why = reason.why[0].lower() + reason.why[1:]
    if answer.status is not SetStateStatus.ACCEPT:
        refusal = "" if isinstance(answer.details, StateAcceptDetails) else answer.details.reason
        raise NotResumed(f"{run.name} ({run.id}): {why}, and the server did not let it be resumed: {refusal}")
    return f"{why}: it was resumed, {resumed + 1} of at most {_RESUMES} times"


def _finish_cancelling(client: SyncPrefectClient, run: FlowRun) -> str:
    """Wait for its worker as long as that is at it; without one, end the jobs here."""
    asked = run.state.timestamp if run.state else datetime.now(UTC)

    def over() -> bool:
        return _type(client.read_flow_run(run.id)) is not _type(run)

    def deserted() -> bool:
        now = datetime.now(UTC)
        # A worker that cancels a run logs what becomes of each job; one that logs nothing for so long is not doing it.
        if last_log(client, run.id, since=asked) + timedelta(seconds=timings().cancel_log_timeout) > now:
            return False
        # A process whose worker is gone ends itself. It is waited for, so that it does not act on what is done here.
        return not has_recent_heartbeat(client, run.id) or now > asked + timedelta(
            seconds=timings().process_exit_timeout
        )

    wait_until(lambda: over() or deserted(), until=asked + _HOOKS_TAKE_AT_MOST)
    if over():
        return "it is over: its worker did it"
    line = cancel_here(client, run)
    if run.state and set_cancelled(client, run.id, line, over=run.state):
        return f"no worker cancelled it, so it was done here. {line}"
    # Its worker woke up and did it too, or a person has retried it by now.
    now = client.read_flow_run(run.id)
    return f"{line}. That was done here, and meanwhile it became {now.state.name if now.state else 'new'}"


def was_being_cancelled(states: Sequence[State[Any]]) -> bool:
    """Whether the run was cancelled since it was scheduled last: then no death of its process is to be mended.

    A process may die of its cancelling, and be reported Crashed.
    """
    asked = [state.timestamp for state in states if state.is_cancelling()]
    scheduled = [state.timestamp for state in states if state.is_scheduled()]
    return bool(asked) and (not scheduled or max(asked) > max(scheduled))


def was_cut_short(states: Sequence[State[Any]]) -> bool:
    """Whether the run was set to Cancelled while it ran, without having been asked to end: its jobs were not ended.

    What is done about it then ends with a second Cancelled.
    """
    types = [state.type for state in _since_scheduled(states)[1]]
    return (
        StateType.RUNNING in types
        and StateType.CANCELLING not in types
        and types.count(StateType.CANCELLED) == 1
        and types[-1] is StateType.CANCELLED
    )


def _since_scheduled(states: Sequence[State[Any]]) -> tuple[Sequence[State[Any]], Sequence[State[Any]]]:
    """The states up to the last time that the run was scheduled, and those after it, each oldest first."""
    latest = sorted(states, key=lambda state: state.timestamp)
    at = max((at for at, state in enumerate(latest, 1) if state.is_scheduled()), default=0)
    return latest[:at], latest[at:]


def _type(run: FlowRun) -> StateType | None:
    return run.state.type if run.state else None


def _state(run: FlowRun) -> UUID | None:
    """Two states of one type are not the same: in between, another process may have started."""
    return run.state.id if run.state else None


def _nothing_any_more(run: FlowRun) -> str:
    return f"nothing to do any more: it is {run.state.name if run.state else 'new'}"
