"""The name and the table artifacts of a flow run, as the UI gets them."""

from __future__ import annotations

import json
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from pydantic import TypeAdapter

Row = dict[str, str | int | float]
TABLES = ArtifactFilterType(any_=["table"])


def name_of(flow_run_id: UUID | None) -> str:
    """What the run is called."""
    assert flow_run_id
    with get_client(sync_client=True) as client:
        return client.read_flow_run(flow_run_id).name


def table_of(flow_run_id: UUID | None) -> list[Row]:
    """The rows of the one table that the run made."""
    assert flow_run_id
    with get_client(sync_client=True) as client:
        mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]), type=TABLES)
        (artifact,) = client.read_artifacts(artifact_filter=mine)
    assert isinstance(artifact.data, str)
    return TypeAdapter(list[Row]).validate_python(json.loads(artifact.data))
