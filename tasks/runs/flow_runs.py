"""Flow runs as the server knows them."""

from __future__ import annotations

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun


def subflows_of(flow_run: FlowRun) -> list[FlowRun]:
    """The runs of the flows that were called by `flow_run`, and by these again."""
    found: list[FlowRun] = []
    callers = [flow_run]
    with get_client(sync_client=True) as client:
        while callers:
            by_them = FlowRunFilterParentFlowRunId(any_=[caller.id for caller in callers])
            callers = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=by_them))
            found += callers
    return found
