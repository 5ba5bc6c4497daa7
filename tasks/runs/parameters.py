"""What a flow run was given, with the flow's defaults for the rest, as a hook needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from prefect import Flow
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
