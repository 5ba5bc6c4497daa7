"""A job in Prefect's own words: a block that is triggered, waited for, and asked for its result."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from prefect.states import Cancelling
from pydantic import ValidationError

from remotejobs.errors import JobExists
from remotejobs.model import Record, State
from remotejobs.prefect import (
    Access,
    JobFailed,
    RemoteInventory,
    RemoteJob,
    RemoteJobRun,
    RetriesExhausted,
    Until,
    remote_flow,
)
from remotejobs.prefect.tasks.connections import jobs_of
from remotejobs.testing import FakeHosts, Plan
from tests.task_log import TaskLog

OFTEN = Until(retries=60, delay=0.5)
SIMULATED = Access(inventory="db1,db2")


def work(access: Access = SIMULATED, command: str = "work", until: Until = OFTEN) -> RemoteJob:
    return RemoteJob(access=access, host="db1", command=command, label="work", until=until)


@remote_flow("in-a-call")
def called(name: str) -> Record:
    job = RemoteJob.load(name)
    assert isinstance(job, RemoteJob)
    run = job.trigger()
    assert run.jid.endswith(str(flow_run.id))
    run.wait_for_completion()
    return run.fetch_result()


@pytest.fixture(scope="module")
def stored(access: Access) -> str:
    work(access, "echo started; sleep 1; echo done").save("stored")
    return "stored"


def test_a_job_that_the_server_keeps_is_triggered_waited_for_and_gives_its_result(
    stored: str, task_log: TaskLog
) -> None:
    record = called(stored)
    assert (record.state, record.rc, record.stdout) == (State.SUCCEEDED, 0, b"started\ndone\n")
    assert task_log.having("work on db1: running")


def test_in_a_coroutine_the_same_is_awaited_and_others_go_on_meanwhile(access: Access, go: Path) -> None:
    work(access, f"until [ -e {go} ]; do sleep 0.05; done; echo done").save("awaits")

    async def let_them_end() -> None:
        go.touch()

    @remote_flow("in-a-coroutine")
    async def awaited() -> list[Record]:
        job: Any = await RemoteJob.aload("awaits")  # by their types its methods are called, by `atrigger` awaited
        runs = [await job.trigger(item) for item in ("one", "two")]
        await asyncio.gather(*(run.wait_for_completion() for run in runs), let_them_end())
        return [await run.fetch_result() for run in runs]

    one, two = asyncio.run(awaited())
    assert one.jid != two.jid
    assert {(record.state, record.stdout) for record in (one, two)} == {(State.SUCCEEDED, b"done\n")}


def test_a_run_that_is_tried_again_triggers_nothing_twice(fake: FakeHosts) -> None:
    runs: list[RemoteJobRun] = []

    @remote_flow("again", retries=1)
    def again() -> State:
        runs.append(work().trigger())
        if flow_run.run_count == 1:
            raise RuntimeError("the controller died")
        runs[-1].wait_for_completion()
        return runs[-1].fetch_result().state

    assert again() is State.SUCCEEDED
    assert runs[0] == runs[1]
    assert len(fake.started()) == 1


def test_within_one_run_a_name_means_one_command(fake: FakeHosts) -> None:
    @remote_flow("two-commands")
    def two_commands() -> None:
        work().trigger()
        work(command="other work").trigger()

    with pytest.raises(JobExists):
        two_commands()
    assert [start.job.cmd for start in fake.started()] == ["work"]


def test_a_job_that_failed_raises_while_it_is_waited_for_and_has_a_result_all_the_same(fake: FakeHosts) -> None:
    fake.plan(".", Plan(rc=3, stderr="disk full\n"))

    @flow
    def fails() -> Record:
        run = work().trigger()
        with pytest.raises(JobFailed, match=r"work on db1: failed, rc 3 .*\ndisk full"):
            run.wait_for_completion()
        return run.fetch_result()

    assert (fails().state, fake.started()[0].state) == (State.FAILED, State.FAILED)


def test_a_host_that_is_away_for_a_while_is_not_a_failed_job(fake: FakeHosts, task_log: TaskLog) -> None:
    fake.plan(".", Plan(lasts=None))

    def come_back() -> None:
        fake.host("db1").reachable()
        fake.ends("work")

    @flow
    def away() -> State:
        run = work().trigger()
        task_log.when("attempt 1 of", fake.host("db1").unreachable)
        task_log.when("exception: ConnectionRefused", come_back)
        run.wait_for_completion()
        return run.fetch_result().state

    assert away() is State.SUCCEEDED


def test_a_job_that_runs_on_after_the_last_poll_is_left_or_killed_as_until_says(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=None))

    @flow
    def runs_on() -> None:
        work(until=Until(retries=0, delay=0.1, on_exhausted="kill")).trigger().wait_for_completion()

    with pytest.raises(RetriesExhausted, match="killed on request"):
        runs_on()
    assert [start.state for start in fake.started()] == [State.KILLED]


def test_a_cancelled_flow_ends_what_it_triggered_by_way_of_its_block_as_that_is_by_then(
    access: Access, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.yml", tmp_path / "second.yml"
    shutil.copy(access.where, first)
    RemoteInventory(path=str(first)).save("lab")
    named = Access(inventory="remote-inventory/lab")
    runs: list[RemoteJobRun] = []

    @task
    def within() -> None:
        runs.append(work(named, "sleep 300").trigger())

    @remote_flow("to-be-cancelled")
    def to_be_cancelled() -> None:
        within()

    state = to_be_cancelled(return_state=True)
    with get_client(sync_client=True) as client:
        assert state.state_details.flow_run_id
        run = client.read_flow_run(state.state_details.flow_run_id)
    first.rename(second)
    RemoteInventory(path=str(second)).save("lab", overwrite=True)
    (hook,) = to_be_cancelled.on_cancellation_hooks
    hook(to_be_cancelled, run, Cancelling())
    (triggered,) = runs
    assert jobs_of(access, triggered.handle).record(triggered.jid).state is State.KILLED


def test_an_option_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(ValidationError, match="retries"):
        RemoteJob.model_validate({**work().model_dump(), "retries": 5})


def test_a_delay_of_zero_which_would_wait_for_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="only trigger it"):
        work(until=Until(delay=0))
