"""Which hosts of a shard failed while it is under way, kept by the server: the budget of the run that was split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from prefect.runtime import flow_run
from pydantic import TypeAdapter

from remotejobs.prefect.tasks.jobs.results import JobResult

_TYPE = "failed-hosts"
_HOSTS = TypeAdapter(list[str])


def publish_failed(results: Sequence[JobResult]) -> None:
    """Have the server keep the hosts of `results` with the shard under way.

    Where it cannot, the report says it later.
    """
    hosts = sorted({result.host for result in results})
    artifact = ArtifactCreate(type=_TYPE, description="Failed", data=json.dumps(hosts), flow_run_id=UUID(flow_run.id))
    try:
        with get_client(sync_client=True) as client:
            client.create_artifact(artifact)
    except httpx.HTTPError as exc:
        get_run_logger().warning("that %s failed cannot be reported meanwhile: %r", ", ".join(hosts), exc)


def failed_hosts(client: SyncPrefectClient, runs: Sequence[UUID]) -> set[str]:
    """The hosts that failed so far of the shards `runs`."""
    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=list(runs)), type=ArtifactFilterType(any_=[_TYPE]))
    hosts: set[str] = set()
    offset = 0
    while page := client.read_artifacts(artifact_filter=mine, offset=offset):
        # Prefect keeps what it is given as JSON text.
        hosts.update(host for artifact in page for host in _HOSTS.validate_json(str(artifact.data)))
        offset += len(page)
    return hosts
