"""Flow runs as the server knows them: their parameters with the flow's defaults, and the runs that they called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun

from remotejobs.renamed import with_new_names

_OLD_NAMES = "__old_names__"  # an attribute of the function


def set_old_names(function: Callable[..., Any], names: Mapping[str, str]) -> None:
    """Let the parameters of a flow's function have old names: `names` maps old to new."""
    if names:
        setattr(function, _OLD_NAMES, dict(names))  # of a plain type, so that the function can be pickled


def by_new_names(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same parameters, by the names that they have by now."""
    return with_new_names(parameters, getattr(flow.fn, _OLD_NAMES, {}), f"flow {flow.name}")


def parameters_of(flow: Flow[..., Any], flow_run: FlowRun) -> dict[str, Any]:
    """By name; the server keeps only those that were given."""
    known = signature(flow.fn).parameters.values()
    defaults = {each.name: each.default for each in known if each.default is not Parameter.empty}
    return defaults | by_new_names(flow, flow_run.parameters)


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
