"""What automations start for a run: recover it, for its process died or nobody cancels it; notify of its state."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from remotejobs.prefect.tasks.recovery.first import event_is_handled
from remotejobs.prefect.tasks.recovery.recover import name_of_recovery, recover_run
from remotejobs.prefect.tasks.recovery.stuck_runs import recover_all_stuck_runs
from remotejobs.prefect.tasks.recovery.takeover import exit_if_superseded
from remotejobs.prefect.tasks.state_alert import notify_of_state


@flow(name="recover", flow_run_name=name_of_recovery, on_running=[exit_if_superseded])
def recover(flow_run_id: UUID, event: str = "") -> str:
    """Resume a dead run, finish the cancelling of one, or let it be; returns a sentence that says which.

    Args:
        flow_run_id: The run that sent no heartbeat, crashed, or is being cancelled.
        event: The event that says so. Of several runs of this flow for one event the first does it; empty: this one.
    """
    return event_is_handled(flow_run_id, event) or recover_run(flow_run_id)


@flow(name="recover-stuck-runs")
def recover_stuck_runs() -> dict[UUID, str]:
    """Do what `recover` does, for every run that no automation noticed.

    The server was away, or the run that was to recover them died.

    Returns, by run id, what `recover` returns for one.
    """
    return recover_all_stuck_runs()


@flow(name="alert", flow_run_name="alert for {flow_run_id}", on_running=[exit_if_superseded])
def alert(flow_run_id: UUID, event: str, block: str = "custom-webhook/alert") -> str:
    """Notify of a state that a run entered, once; returns a sentence that says whether it did.

    Args:
        flow_run_id: The run.
        event: The event by which it entered the state. Of several runs of this flow for one event the first notifies.
        block: The notification block, as TYPE/NAME.
    """
    return event_is_handled(flow_run_id, event) or notify_of_state(flow_run_id, event, block)
