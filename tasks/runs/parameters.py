"""What a flow run was given, with the flow's defaults for the rest, as a hook needs it."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun


def parameters_of(flow: Flow[..., Any], flow_run: FlowRun) -> dict[str, Any]:
    """By name; the server keeps only those that were given."""
    known = signature(flow.fn).parameters.values()
    defaults = {each.name: each.default for each in known if each.default is not Parameter.empty}
    return defaults | flow_run.parameters
