"""How a flow run goes about its jobs: what every flow with jobs takes as its parameter `run`."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Annotated, Any, ClassVar, Literal

from prefect import Flow
from prefect.context import FlowRunContext
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from remotejobs.prefect.tasks.runs.shards import IN_ONE_RUN, WHOLE, Shard, Shards
from remotejobs.renamed import allow_old_names, renamed_fields

OnCancel = Literal["kill", "leave"]


class RunOptions(BaseModel):
    """How the run goes about its jobs: in groups, in shards, what a cancel does to them; or only show them."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=allow_old_names)
    _old_names: ClassVar[object] = renamed_fields(part="shard")

    group: int = Field(
        default=0,
        ge=0,
        description="Hosts that share one task run; 1 for one each, 0 for one each up to 4 hosts and about 100 above.",
    )
    on_cancel: OnCancel = Field(
        default="kill",
        description="What becomes of its jobs when the run is cancelled: kill them, with proof, or leave them running.",
    )
    dry_run: bool = Field(default=False, description="Show what would run where, and run nothing.")
    shards: Shards = Field(default=IN_ONE_RUN, description="Whether other workers do it, each on a share of the hosts.")
    # Filled in for the runs of those workers; the form has nothing of it.
    shard: Annotated[Shard, SkipJsonSchema()] = WHOLE


def options_of_this_run() -> RunOptions:
    """Those that the flow run under way was given; the defaults where its flow has none."""
    context = FlowRunContext.get()
    given = (context.parameters or {}) if context else {}
    return next((value for value in given.values() if isinstance(value, RunOptions)), RunOptions())


def options_given(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> RunOptions:
    """Those among the `parameters` of a run of `flow`, as its server keeps them."""
    name = name_of_options(flow)
    return RunOptions.model_validate(parameters.get(name) or {}) if name else RunOptions()


def name_of_options(flow: Flow[..., Any]) -> str:
    """Which parameter of the flow they are; "" for none."""
    for name, parameter in signature(flow.fn).parameters.items():
        # Annotations are text where a module postpones them.
        if isinstance(parameter.default, RunOptions) or parameter.annotation in (RunOptions, RunOptions.__name__):
            return name
    return ""
