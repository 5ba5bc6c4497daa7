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
from remotejobs.prefect.tasks.shards.reports import ReportedResult, report_of
from remotejobs.prefect.tasks.shards.runs import Shard, look_again
from remotejobs.prefect.tasks.shards.stop import stop
from remotejobs.prefect.tasks.timings import timings


@dataclass
class Watch:
    """The shards of a run as they were last seen; `stopped` says why no more of them begin, "" while they may."""

    shards: list[Shard]
    reports: dict[int, list[ReportedResult]] = field(default_factory=dict)
    crashed: dict[int, float] = field(default_factory=dict)  # since when, as seen here
    stopped: str = ""

    @property
    def hosts(self) -> int:
        return sum(len(shard.part.hosts) for shard in self.shards)


def await_shards(client: SyncPrefectClient, begun: Sequence[Shard], wanted: Shards) -> Watch:
    """Wait until every shard is over; its report is there if it came to one."""
    watch = Watch(list(begun))
    told: dict[int, str] = {}
    while True:
        watch.shards = look_again(client, watch.shards)
        _tell_changes(watch.shards, told)
        for shard in watch.shards:
            if _over(shard) and shard.part.number not in watch.reports and (report := report_of(client, shard.run.id)):
                watch.reports[shard.part.number] = report
        if all(map(_over, watch.shards)):
            return watch
        _give_up_crashed(client, watch)
        if not watch.stopped and not wanted.bears_all:
            _stop_if_exceeded(client, watch, wanted)
        if watch.stopped:
            _hold_back(client, watch)
        time.sleep(timings().shard_poll_interval)


def _over(shard: Shard) -> bool:
    state = shard.run.state
    return state is not None and state.is_final() and not state.is_crashed()


def _give_up_crashed(client: SyncPrefectClient, watch: Watch) -> None:
    """So that nobody resumes them once their hosts were told of. After an absence of the server all have their time."""
    for shard in watch.shards:
        if not (shard.run.state and shard.run.state.is_crashed()):
            watch.crashed.pop(shard.part.number, None)
            continue
        since = watch.crashed.setdefault(shard.part.number, time.monotonic())
        # `recover` resumes a crashed run much sooner: one that is still crashed then is nobody's any more.
        if time.monotonic() - since > timings().shard_crash_timeout:
            given_up: RunState[None] = Cancelled(message="Given up: it crashed, and nobody resumed it")
            client.set_flow_run_state(shard.run.id, given_up, force=True)


def _stop_if_exceeded(client: SyncPrefectClient, watch: Watch, wanted: Shards) -> None:
    untold = [shard for shard in watch.shards if shard.part.number not in watch.reports]
    failed = {result.host for report in watch.reports.values() for result in report if not result.succeeded}
    # One that broke before it could tell, as on a worker without the inventory: nobody says that a host of it is well.
    failed |= {host for shard in untold if _over(shard) for host in shard.part.hosts}
    failed |= _failed_already(client, [shard for shard in untold if not _over(shard)])
    watch.stopped = wanted.exceeded(failed=len(failed), hosts=watch.hosts)
    if watch.stopped:
        get_run_logger().error("%s: shards that wait for a worker are not begun", watch.stopped)
        stop(watch.stopped)


def _hold_back(client: SyncPrefectClient, watch: Watch) -> None:
    """Cancel what waits for a worker, also what `recover` sent back there. What a worker took goes on."""
    for shard in watch.shards:
        if not shard.begun and _is_scheduled(shard):
            (now,) = look_again(client, [shard])
            if not now.begun and _is_scheduled(now):
                client.set_flow_run_state(shard.run.id, Cancelling(message=f"Not begun: {watch.stopped}"))


def _failed_already(client: SyncPrefectClient, running: Iterable[Shard]) -> set[str]:
    """Hosts of shards under way that failed."""
    begun = [shard.run.id for shard in running if shard.begun]
    return failed_hosts(client, begun) if begun else set()


def _is_scheduled(shard: Shard) -> bool:
    return shard.run.state is not None and shard.run.state.is_scheduled()


def _tell_changes(shards: Iterable[Shard], told: dict[int, str]) -> None:
    for shard in shards:
        state = shard.run.state.name if shard.run.state else "new"
        line = f"{state}, {shard.worker}".removesuffix(", ")
        if told.get(shard.part.number) != line:
            told[shard.part.number] = line
            get_run_logger().info("%s, %d hosts: %s", shard.part, len(shard.part.hosts), line)
