"""The alert of a state that a run entered, in the words of the notifications."""

from __future__ import annotations

from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.exceptions import ObjectNotFound

from remotejobs.prefect.tasks.notify import Message, Notify, is_news, send_message
from remotejobs.workarounds.prefect.run_page import page_of


def notify_of_state(run_id: UUID, state_id: str, block: str) -> str:
    """Notify by `block` of the state that `run_id` entered, or of its last one. Raises `NotificationFailed`."""
    with get_client(sync_client=True) as client:
        try:
            run = client.read_flow_run(run_id)
        except ObjectNotFound:
            return "there is no such run any more"
        state = _state(client, run, state_id)
        flow = client.read_flow(run.flow_id).name
    if state is None or not is_news(state):
        return "nothing to do: it reported its end before"
    name = state.name or state.type.value
    send_message(
        Notify(block=block),
        Message(
            flow=flow,
            run=run.name,
            state=name,
            message=state.message or "",
            url=page_of(run.id),
            key=f"{run.id}:{name}",
        ),
    )
    return f"notified: {run.name} is {name}"


def _state(client: SyncPrefectClient, run: FlowRun, state_id: str) -> RunState[object] | None:
    """The event by which a run enters a state has that state's id."""
    states = client.read_flow_run_states(run.id)
    return next((state for state in states if str(state.id) == state_id), run.state)
