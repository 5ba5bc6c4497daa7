"""Cancelling a run in place of its worker, which is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.flows import load_flow_from_flow_run
from prefect.states import Cancelling

from remotejobs.prefect.tasks.cancel.cancel import kill_jobs_of_subflows
from remotejobs.prefect.tasks.cancel.report import line_of, report_cancelled, speaking
from remotejobs.prefect.tasks.recovery.heartbeats import has_recent_heartbeat

_WORKER = "prefect.worker.name"


def cancel_here(client: SyncPrefectClient, run: FlowRun) -> str:
    """Do what the run's own hooks do when it is cancelled; returns in a line what came of it."""
    flow = asyncio.run(_load(run))
    for hook in flow.on_cancellation_hooks:
        if (answer := hook(flow, run, Cancelling())) is not None:
            asyncio.run(_awaited(answer))
    if not flow.on_cancellation_hooks:
        with speaking(run):
            ends = kill_jobs_of_subflows(run)
        report_cancelled(run, ends)
    outcome = line_of(client, run) or "Its log shows what was done"
    if not has_recent_heartbeat(client, run.id):
        return outcome
    worker = run.labels.get(_WORKER, "its worker")
    return f"{outcome}. Its process {run.infrastructure_pid} LIVES ON, though {worker} is gone: end it there by hand"


async def _load(run: FlowRun) -> Flow[..., Any]:
    loaded: Flow[..., Any] = await load_flow_from_flow_run(run)
    return loaded


async def _awaited(answer: Awaitable[None]) -> None:
    await answer
