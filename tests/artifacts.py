"""The name and the artifacts of a flow run, as the UI gets them."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from prefect.client.schemas.objects import Artifact
from pydantic import TypeAdapter

Row = dict[str, str | int | float]


def name_of(run: UUID | None) -> str:
    """What the run is called."""
    assert run
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run).name


def artifacts_of(run: UUID | None, kind: str) -> list[Artifact]:
    """Those of a kind ("table", "markdown", "progress") that the run made, oldest first."""
    assert run
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]), type=ArtifactFilterType(any_=[kind]))
    with get_client(sync_client=True) as client:
        return sorted(client.read_artifacts(artifact_filter=wanted), key=lambda artifact: str(artifact.created))


def tables_of(run: UUID | None) -> list[list[Row]]:
    """The rows of each table that the run made, oldest first."""
    return [TypeAdapter(list[Row]).validate_json(str(artifact.data)) for artifact in artifacts_of(run, "table")]


def table_of(run: UUID | None) -> list[Row]:
    """The rows of the one table that the run made."""
    (table,) = tables_of(run)
    return table


def bars_of(run: UUID | None) -> list[object]:
    """The per cents that the progress bars of the run show."""
    return [artifact.data for artifact in artifacts_of(run, "progress")]
