"""Notify of the state of a run; started by automations."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.recovery.first import event_is_seen_to
from remotejobs.prefect.tasks.recovery.takeover import exit_if_superseded
from remotejobs.prefect.tasks.state_alert import notify_of_state


@flow(name="alert", flow_run_name="alert for {flow_run_id}", on_running=[exit_if_superseded])
def alert(flow_run_id: UUID, event: str, block: str = "custom-webhook/alert") -> str:
    """Notify of a state that a run entered, once; returns a sentence that says whether it did.

    Args:
        flow_run_id: The run.
        event: The event by which it entered the state. Of several runs of this flow for one event the first notifies.
        block: The notification block, as TYPE/NAME.
    """
    return event_is_seen_to(flow_run_id, event) or notify_of_state(flow_run_id, event, block)
