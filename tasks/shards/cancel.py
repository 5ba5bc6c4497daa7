"""Cancelling a run that was split: first its shards, each by its own worker, so that no more jobs begin."""

from __future__ import annotations

import time
from collections.abc import Sequence

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.logging.loggers import flow_run_logger
from prefect.states import Cancelled, Cancelling

from remotejobs.prefect.tasks.cancel.report import CancelledJob
from remotejobs.prefect.tasks.shards.runs import ShardRun, refreshed, shards_of
from remotejobs.prefect.tasks.timings import timings

_BECAUSE = "The run that it is a shard of was cancelled"


def cancel_shards(flow_run: FlowRun) -> list[CancelledJob]:
    """Cancel the shards of `flow_run`, if it was split, and wait until they are; returns those that are not."""
    with get_client(sync_client=True) as client:
        shards = shards_of(client, flow_run.id)
        for shard_run in shards:
            _cancel(client, shard_run)
        left = _await_ends(client, flow_run, shards)
    return [
        CancelledJob(
            str(shard_run.shard), "its process", f"the run {shard_run.run.id} does not come to an end", open_end=True
        )
        for shard_run in left
    ]


def _cancel(client: SyncPrefectClient, shard_run: ShardRun) -> None:
    state = shard_run.run.state
    if state is None or not state.is_final():
        client.set_flow_run_state(shard_run.run.id, Cancelling(message=_BECAUSE))
    elif state.is_crashed():
        # It would be resumed.
        client.set_flow_run_state(shard_run.run.id, Cancelled(message=_BECAUSE), force=True)


def _await_ends(client: SyncPrefectClient, flow_run: FlowRun, shards: Sequence[ShardRun]) -> list[ShardRun]:
    logger, began, spoke = flow_run_logger(flow_run), time.monotonic(), 0.0
    left = _alive(client, shards)
    # A shard whose worker is gone is cancelled by `recover`, which first waits for a heartbeat.
    while left and time.monotonic() - began < timings().shard_cancel_timeout:
        if time.monotonic() - spoke > timings().cancel_log_interval:
            logger.info("waiting until these are cancelled: %s", ", ".join(str(shard_run.shard) for shard_run in left))
            spoke = time.monotonic()
        time.sleep(timings().poll_interval)
        left = _alive(client, left)
    return left


def _alive(client: SyncPrefectClient, shards: Sequence[ShardRun]) -> list[ShardRun]:
    now = refreshed(client, shards) if shards else []
    return [shard_run for shard_run in now if shard_run.run.state is None or not shard_run.run.state.is_final()]
