"""Which jobs a flow run may have started, kept by the server: a cancel has nothing else to know it by.

It is written before a job is started, so no job is missing; one that is named there need not have been started.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict, TypeAdapter

from remotejobs.model import Job
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.runs.live_page import link_to_live_page

_TYPE = "started"
_PAGE = 200  # artifacts that the server gives at a time


class StartedJobs(BaseModel):
    """Jobs that were about to be started on `hosts` by way of `access`: their labels by jid."""

    model_config = ConfigDict(frozen=True)

    access: Access
    hosts: tuple[str, ...]
    labels: Mapping[str, str]


_KNOWN: set[tuple[str, Access, str, str]] = set()  # of this process: run, access, host and jid
_LOOKED_AT: set[str] = set()  # runs whose flow is known to have hooks, or was warned about


def note_jobs(access: Access, jobs: Iterable[tuple[Job, str]]) -> None:
    """Have the server keep that the flow run under way may start these on their hosts, once for each."""
    if not (run := flow_run.id):
        return
    new = [(job, host) for job, host in jobs if (run, access, host, job.jid) not in _KNOWN]
    hosts_of: dict[tuple[str, str], list[str]] = {}
    for job, host in new:
        hosts_of.setdefault((job.jid, job.label or job.jid), []).append(host)
    # One entry for all the jobs that the same hosts have.
    labels: dict[tuple[str, ...], dict[str, str]] = {}
    for (jid, label), hosts in hosts_of.items():
        labels.setdefault(tuple(dict.fromkeys(hosts)), {})[jid] = label
    if labels:
        if run not in _LOOKED_AT:  # its tasks come side by side
            _LOOKED_AT.add(run)
            _warn_without_hooks()
        link_to_live_page(UUID(run))
        keep(UUID(run), [StartedJobs(access=access, hosts=hosts, labels=mine) for hosts, mine in labels.items()])
        _KNOWN.update((run, access, host, job.jid) for job, host in new)


def _warn_without_hooks() -> None:
    """Say at the first job of a run that a cancel will not end it, while that can be changed."""
    context = FlowRunContext.get()
    if context is None or context.flow is None or context.flow_run is None:
        return
    # Of a flow that is part of another one, that one's hook ends the jobs.
    if not context.flow.on_cancellation_hooks and not context.flow_run.parent_task_run_id:
        get_run_logger().warning(
            "A cancel of this run leaves its jobs running, and no other process goes on with it: %s is a plain @flow. "
            'Write @remote_flow("%s") in its place; it is in remotejobs.prefect.',
            context.flow.name,
            context.flow.name,
        )


def keep(run: UUID, entries: Iterable[StartedJobs]) -> None:
    """Attach them to the flow run `run`."""
    data = json.dumps([entry.model_dump(mode="json") for entry in entries])
    kept = ArtifactCreate(type=_TYPE, description="Jobs that it may have started", data=data, flow_run_id=run)
    # Not by Prefect's own helper, which in an event loop would wait to be awaited.
    with get_client(sync_client=True) as client:
        client.create_artifact(kept)


def started_by(client: SyncPrefectClient, run: UUID) -> list[StartedJobs]:
    """What was kept of the flow run."""
    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]), type=ArtifactFilterType(any_=[_TYPE]))
    found: list[StartedJobs] = []
    offset = 0
    while page := client.read_artifacts(artifact_filter=mine, limit=_PAGE, offset=offset):
        for artifact in page:
            # Prefect keeps what it is given as JSON text.
            found += TypeAdapter(list[StartedJobs]).validate_json(str(artifact.data))
        offset += len(page)
    return found
