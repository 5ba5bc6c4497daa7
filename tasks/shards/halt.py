"""That no further shard of a run begins: kept by the server, for those that have a worker and wait for their forks."""

from __future__ import annotations

from uuid import UUID

from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from prefect.runtime import flow_run

from remotejobs.errors import RemoteJobsError
from remotejobs.prefect.tasks.runs.shards import Shard

_TYPE = "stopped"


class NotStarted(RemoteJobsError):
    """The shard did nothing on its hosts: too many of the others' failed before."""


def halt(why: str) -> None:
    """Record that no further shard of the flow run under way may begin."""
    Artifact(type=_TYPE, description=why).create()


def raise_if_halted(shard: Shard) -> None:
    """Raise `NotStarted` where the run that it is a shard of was halted. One that is resumed has started before."""
    if not shard.of or flow_run.run_count > 1:
        return
    mine = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(shard.of)]), type=ArtifactFilterType(any_=[_TYPE])
    )
    with get_client(sync_client=True) as client:
        reasons = client.read_artifacts(artifact_filter=mine, limit=1)
    if reasons:
        raise NotStarted(f"{shard} is not started: {reasons[0].description}")
