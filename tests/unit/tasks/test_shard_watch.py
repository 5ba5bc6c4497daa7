"""When no further shard begins, and which are left alone. The server is a list of runs here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.logging import disable_run_logger
from prefect.states import Cancelled, Completed, Crashed, Failed, Running, Scheduled

from remotejobs.prefect.tasks.runs.shards import Shard, Shards
from remotejobs.prefect.tasks.shards import watch as shard_watch
from remotejobs.prefect.tasks.shards.runs import ShardRun
from remotejobs.prefect.tasks.shards.watch import ShardWatch, await_shards
from remotejobs.prefect.tasks.timings import Timings

HOSTS = ("a", "b", "c")


class ShardServer:
    """Has three shards of three hosts each, all of which wait for a worker."""

    def __init__(self) -> None:
        self.shards = [shard(number, Scheduled()) for number in (1, 2, 3)]
        self.stopped = ""

    def becomes(self, number: int, state: State[None]) -> None:
        """A worker begins a shard, or it ends."""
        self.shards[number - 1] = shard(number, state, self.shards[number - 1].run.id, started=True)

    def set_flow_run_state(self, flow_run_id: UUID, state: State[None], *, force: bool = False) -> None:
        (number,) = [each.shard.number for each in self.shards if each.run.id == flow_run_id]
        cancelled: State[None] = Cancelled(message=state.message)
        self.shards[number - 1] = shard(number, cancelled, flow_run_id, started=self.shards[number - 1].started)

    def refreshed(self, _: object, shards: Sequence[ShardRun]) -> list[ShardRun]:
        return [self.shards[each.shard.number - 1] for each in shards]

    def stop(self, why: str) -> None:
        self.stopped = why


def shard(number: int, state: State[None], run: UUID | None = None, *, started: bool = False) -> ShardRun:
    shard = Shard(of="run", number=number, total=3, hosts=tuple(f"{host}{number}" for host in HOSTS))
    return ShardRun(shard, FlowRun(id=run or uuid4(), flow_id=uuid4(), state=state, run_count=int(started)))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShardServer]:
    server = ShardServer()
    monkeypatch.setattr(shard_watch, "refreshed", server.refreshed)
    monkeypatch.setattr(shard_watch, "halt", server.stop)
    monkeypatch.setattr(shard_watch, "report_of", lambda *_: None)
    monkeypatch.setattr(shard_watch, "_failed_already", lambda *_: set())
    monkeypatch.setattr(shard_watch, "timings", lambda: Timings(shard_poll_interval=0))
    with disable_run_logger():
        yield server


def watch(server: ShardServer) -> ShardWatch:
    return await_shards(cast("SyncPrefectClient", server), server.shards, Shards(number=3, max_failed=2))


def test_one_that_broke_before_it_could_report_counts_with_all_its_hosts(server: ShardServer) -> None:
    server.becomes(1, Failed(message="no such inventory"))
    found = watch(server)
    assert server.stopped == found.halted == "3 of 9 hosts failed, 2 may"
    for waiting in found.shards[1:]:
        assert waiting.ended == "Cancelled, Not started: 3 of 9 hosts failed, 2 may"
        assert not waiting.started


def test_one_that_a_worker_took_meanwhile_comes_to_its_end(
    server: ShardServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.becomes(1, Failed(message="no such inventory"))

    def refresh(_: object, shards: Sequence[ShardRun]) -> list[ShardRun]:
        if len(shards) == 1 and shards[0].shard.number == 2 and not server.shards[1].started:
            server.becomes(2, Running())
        elif server.shards[1].run.state and server.shards[1].run.state.is_running():
            server.becomes(2, Completed())
        return server.refreshed(server, shards)

    monkeypatch.setattr(shard_watch, "refreshed", refresh)
    assert [each.run.state.name for each in watch(server).shards if each.run.state] == [
        "Failed",
        "Completed",
        "Cancelled",
    ]


def test_one_that_nobody_resumes_is_cancelled_so_that_nobody_does_it_later(
    server: ShardServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_watch, "timings", lambda: Timings(shard_poll_interval=0, shard_crash_timeout=0))
    server.becomes(1, Crashed())
    server.becomes(2, Completed())
    server.becomes(3, Completed())
    assert watch(server).shards[0].ended == "Cancelled, Given up: it crashed, and was not resumed"
