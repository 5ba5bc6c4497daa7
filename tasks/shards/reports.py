"""What a shard reports to the run that it is a part of: how each of its hosts ended, kept by the server.

A worker's disk, where Prefect puts what a flow returns, is seen by no other worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect.artifacts import Artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from prefect.client.schemas.sorting import ArtifactSort
from pydantic import BaseModel, ConfigDict, TypeAdapter

from remotejobs.prefect.tasks.jobs.reports import TableRow, publish_table, worst_first
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.runs.shards import Shard

_TYPE = "ends"


class ReportedResult(BaseModel):
    """The end of one step on one host, without its record, and its row in the table."""

    model_config = ConfigDict(frozen=True)

    host: str
    step: str
    state: str
    succeeded: bool
    reason: str
    row: TableRow

    @classmethod
    def of(cls, result: JobResult, row: TableRow) -> ReportedResult:
        return cls(
            host=result.host,
            step=result.step,
            state=result.state,
            succeeded=result.succeeded,
            reason=result.reason,
            row=row,
        )

    @property
    def result(self) -> JobResult:
        return JobResult(host=self.host, step=self.step, state=self.state, succeeded=self.succeeded, reason=self.reason)


def publish_results(key: str, title: str, results: Sequence[tuple[JobResult, TableRow]], shard: Shard) -> None:
    """Attach the table to the run under way and, where it is a shard, what its parent reads."""
    publish_table(key, title, worst_first(results))
    if shard.of:
        found = [ReportedResult.of(result, row).model_dump(mode="json") for result, row in results]
        Artifact(type=_TYPE, description=f"What {shard} reports of its hosts", data=found).create()


def report_of(client: SyncPrefectClient, run: UUID) -> list[ReportedResult] | None:
    """What the shard `run` reported at its end; None when it came to none."""
    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]), type=ArtifactFilterType(any_=[_TYPE]))
    found = client.read_artifacts(artifact_filter=mine, sort=ArtifactSort.CREATED_DESC, limit=1)
    # Prefect keeps what it is given as JSON text.
    return TypeAdapter(list[ReportedResult]).validate_json(str(found[0].data)) if found else None
