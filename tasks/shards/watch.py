"""Waiting for the shards of a run, and beginning no more of them once too many hosts failed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State as RunState
from prefect.states import Cancelled, Cancelling

from remotejobs.prefect.tasks.runs.shards import Shards
from remotejobs.prefect.tasks.shards.failures import failed_hosts
from remotejobs.prefect.tasks.shards.halt import halt
from remotejobs.prefect.tasks.shards.reports import ReportedResult, report_of
from remotejobs.prefect.tasks.shards.runs import ShardRun, refreshed
from remotejobs.prefect.tasks.timings import timings


@dataclass
class ShardWatch:
    """The shards of a run as they were last seen; `halted` says why no more of them begin, "" while they may."""

    shards: list[ShardRun]
    reports: dict[int, list[ReportedResult]] = field(default_factory=dict)
    crashed: dict[int, float] = field(default_factory=dict)  # since when, as seen here
    halted: str = ""

    @property
    def hosts(self) -> int:
        return sum(len(shard_run.shard.hosts) for shard_run in self.shards)


def await_shards(client: SyncPrefectClient, started: Sequence[ShardRun], wanted: Shards) -> ShardWatch:
    """Wait until every shard is over; its report is there if it came to one."""
    watch = ShardWatch(list(started))
    logged: dict[int, str] = {}
    while True:
        watch.shards = refreshed(client, watch.shards)
        _log_changes(watch.shards, logged)
        for shard_run in watch.shards:
            if (
                _over(shard_run)
                and shard_run.shard.number not in watch.reports
                and (report := report_of(client, shard_run.run.id))
            ):
                watch.reports[shard_run.shard.number] = report
        if all(map(_over, watch.shards)):
            return watch
        _give_up_crashed(client, watch)
        if not watch.halted and not wanted.bears_all:
            _stop_if_exceeded(client, watch, wanted)
        if watch.halted:
            _hold_back(client, watch)
        time.sleep(timings().shard_poll_interval)


def _over(shard_run: ShardRun) -> bool:
    state = shard_run.run.state
    return state is not None and state.is_final() and not state.is_crashed()


def _give_up_crashed(client: SyncPrefectClient, watch: ShardWatch) -> None:
    """So that they are not resumed once their hosts were reported.

    After an absence of the server all have their time.
    """
    for shard_run in watch.shards:
        if not (shard_run.run.state and shard_run.run.state.is_crashed()):
            watch.crashed.pop(shard_run.shard.number, None)
            continue
        since = watch.crashed.setdefault(shard_run.shard.number, time.monotonic())
        # `recover` resumes a crashed run much sooner: one that is still crashed then is abandoned.
        if time.monotonic() - since > timings().shard_crash_timeout:
            given_up: RunState[None] = Cancelled(message="Given up: it crashed, and was not resumed")
            client.set_flow_run_state(shard_run.run.id, given_up, force=True)


def _stop_if_exceeded(client: SyncPrefectClient, watch: ShardWatch, wanted: Shards) -> None:
    untold = [shard_run for shard_run in watch.shards if shard_run.shard.number not in watch.reports]
    failed = {result.host for report in watch.reports.values() for result in report if not result.succeeded}
    # One that broke before it could report, as on a worker without the inventory: nothing says that a host of it is
    # well.
    failed |= {host for shard_run in untold if _over(shard_run) for host in shard_run.shard.hosts}
    failed |= _failed_already(client, [shard_run for shard_run in untold if not _over(shard_run)])
    watch.halted = wanted.exceeded(failed=len(failed), hosts=watch.hosts)
    if watch.halted:
        get_run_logger().error("%s: shards that wait for a worker are not started", watch.halted)
        halt(watch.halted)


def _hold_back(client: SyncPrefectClient, watch: ShardWatch) -> None:
    """Cancel what waits for a worker, also what `recover` sent back there. What a worker took goes on."""
    for shard_run in watch.shards:
        if not shard_run.started and _is_scheduled(shard_run):
            (now,) = refreshed(client, [shard_run])
            if not now.started and _is_scheduled(now):
                client.set_flow_run_state(shard_run.run.id, Cancelling(message=f"Not started: {watch.halted}"))


def _failed_already(client: SyncPrefectClient, running: Iterable[ShardRun]) -> set[str]:
    """Hosts of shards under way that failed."""
    started = [shard_run.run.id for shard_run in running if shard_run.started]
    return failed_hosts(client, started) if started else set()


def _is_scheduled(shard_run: ShardRun) -> bool:
    return shard_run.run.state is not None and shard_run.run.state.is_scheduled()


def _log_changes(shards: Iterable[ShardRun], logged: dict[int, str]) -> None:
    for shard_run in shards:
        state = shard_run.run.state.name if shard_run.run.state else "new"
        line = f"{state}, {shard_run.worker}".removesuffix(", ")
        if logged.get(shard_run.shard.number) != line:
            logged[shard_run.shard.number] = line
            get_run_logger().info("%s, %d hosts: %s", shard_run.shard, len(shard_run.shard.hosts), line)
