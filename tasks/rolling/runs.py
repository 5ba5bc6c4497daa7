"""Which update a flow run belongs to: a resumed one goes on under the id of the first."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from remotejobs.errors import UsageError
from remotejobs.prefect.tasks.flow import shown
from remotejobs.prefect.tasks.recovery.heartbeats import has_recent_heartbeat

_FLOW_PARAMETERS = {"update", "hosts", "access"}
_REMEDY = "Give the id of a flow run of rolling-update; it stands in the run's address in the UI."


def name_of_run() -> str:
    """What the flow run under way is called: `update of web to 2.0.1`."""
    given = flow_run.parameters
    update = given.get("update")
    version = update.get("version") if isinstance(update, dict) else getattr(update, "version", "")
    return f"update of {shown(given.get('hosts'))} to {shown(version)}"


def this_update(resume_from: str) -> str:
    """The id of the update that this flow run does: its own, or that of the run that it goes on with.

    Raises `UsageError` when there is no such run, or when it goes on.
    """
    if resume_from:
        return origin_of(_dead_run(resume_from))
    return str(flow_run.id)


def origin_of(run: FlowRun) -> str:
    """The id of the first of the flow runs that resumed each other."""
    seen = {run.id}
    while before := str(run.parameters.get("resume_from") or ""):
        run = run_with_id(before)
        if run.id in seen:
            raise UsageError(f"the flow run {run.id} resumes itself", remedy=_REMEDY)
        seen.add(run.id)
    return str(run.id)


def run_with_id(run_id: str) -> FlowRun:
    """A flow run of a rolling update. `UsageError` when it is none."""
    try:
        wanted = UUID(run_id)
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(wanted)
    except (ValueError, ObjectNotFound) as exc:
        raise UsageError(f"there is no flow run {run_id!r}", remedy=_REMEDY) from exc
    if not run.parameters.keys() >= _FLOW_PARAMETERS:
        raise UsageError(f"the flow run {run.name} ({run_id}) is no rolling update", remedy=_REMEDY)
    return run


def _dead_run(run_id: str) -> FlowRun:
    """A flow run of a rolling update that no process works on: if its controller was killed, it still shows Running."""
    run = run_with_id(run_id)
    if run.state is None or run.state.is_final():
        return run
    with get_client(sync_client=True) as client:
        lives = has_recent_heartbeat(client, run.id)
    if lives or not run.state.is_running():
        raise UsageError(
            f"the flow run {run.name} goes on: it is {run.state.name}" + (", and its process lives" if lives else ""),
            remedy="Cancel it, or let it go on. If its process was killed, wait a minute, or set its state to Crashed.",
        )
    return run


def ended_run(run_id: str) -> FlowRun:
    """A flow run of a rolling update that is over. `UsageError` while it goes on, as far as Prefect knows."""
    run = run_with_id(run_id)
    if run.state is None or not run.state.is_final():
        state = run.state.name if run.state else "not started"
        raise UsageError(
            f"the flow run {run.name} is {state}, and may still change hosts",
            remedy="Cancel it; if its controller is dead, set its state to Crashed first.",
        )
    return run
