"""A cancelled flow run ends its jobs on their hosts and says of each what became of it."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import Flow, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Scheduled
from prefect.workers.process import ProcessWorker

from lab.servers.sshd import SshLab
from remotejobs.cli import main
from remotejobs.model import Job, Record, State
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.flows.download import download
from remotejobs.prefect.flows.examples.side_by_side import side_by_side
from remotejobs.prefect.flows.examples.watched_deploy import watched_deploy
from remotejobs.prefect.flows.examples.with_rollback import with_rollback
from remotejobs.prefect.flows.restart_services import restart_services
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.flows.upgrade import upgrade
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.cancel.cancel import kill_jobs, kill_jobs_of_subflows
from remotejobs.prefect.tasks.cancel.report import CancelledJob, message_of
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.flow import remote_flow
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import start_job
from remotejobs.prefect.tasks.jobs.until import Until
from remotejobs.prefect.tasks.runs.flow_runs import subflows_of
from remotejobs.prefect.tasks.runs.options import RunOptions
from remotejobs.prefect.tasks.runs.started import StartedJobs, keep
from remotejobs.testing import FakeHosts, Plan
from tests.awaiting import await_true

OFTEN = Until(retries=300, delay=1)
PROJECT = Path(__file__).parents[3]
WITHIN = 120

PART = """
from prefect import flow
from remotejobs.prefect.flows.run_command import run_command

@flow
def whole(access: dict, command: str) -> None:
    run_command(access, "db1", command, label="part", until={"delay": 1})
"""


def scheduled(
    flow: Flow[..., Any], entrypoint: str = "flows", pool: str | None = None, **parameters: object
) -> FlowRun:
    """A flow run that a worker of the pool would take."""
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(PROJECT)}}
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow(flow), name="to-cancel", entrypoint=entrypoint, pull_steps=[step], work_pool_name=pool
        )
        given = flow.serialize_parameters(parameters)
        return client.create_flow_run_from_deployment(deployment, parameters=given, state=Scheduled())


@contextmanager
def worker(pool: str) -> Iterator[Future[None]]:
    """A worker in a thread of this process. It takes what is scheduled, each into a process of its own, and is over
    when these have ended."""

    async def work() -> None:
        await ProcessWorker(work_pool_name=pool).start(run_once=True)

    # The address of the server is a setting of this context.
    context = copy_context()
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(context.run, asyncio.run, work())


def cancel(pool: str, runs: Sequence[FlowRun], started: Sequence[Path]) -> None:
    """Have them run side by side, and cancel them when every file of `started` is there."""
    with worker(pool) as working, get_client(sync_client=True) as client:
        await_true(lambda: working.done() or all(path.exists() for path in started))
        assert not working.done(), "they ended before they were cancelled"
        for run in runs:
            client.set_flow_run_state(run.id, Cancelling())
        working.result(WITHIN)
        states = [client.read_flow_run(run.id).state for run in runs]
    assert all(state and state.is_cancelled() for state in states)


def logged(run: FlowRun, words: str) -> str:
    """The rest of the one line with `words` in the log of the run, where it comes a little late."""
    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        await_true(lambda: any(words in log.message for log in client.read_logs(mine)))
        (line,) = [log.message for log in client.read_logs(mine) if words in log.message]
    return line.partition(words)[2]


def jobs_of(run: FlowRun, access: Access, host: str) -> list[Record]:
    return [record for record in jobs_on(access, host).list() if record.jid.endswith(str(run.id))]


@dataclass(frozen=True)
class Cancelled:
    """Two runs that were cancelled while their jobs ran: a command on a group of hosts, and one that called another
    flow, which polled its job alone."""

    command: FlowRun
    whole: FlowRun


@pytest.fixture(scope="module")
def cancelled(access: Access, tmp_path_factory: pytest.TempPathFactory) -> Cancelled:
    @flow
    def whole(access: dict[str, object], command: str) -> None:
        """Stands for the one in the file."""

    pool = f"to-cancel-{uuid4().hex}"
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    started = tmp_path_factory.mktemp("started")
    (started / "whole.py").write_text(PART)
    forking = f"setsid sleep 300 & touch {started}/$(basename $(dirname $HOME)); sleep 300"
    given: dict[str, object] = {
        "access": access,
        "hosts": "db1:db2",
        "command": forking,
        "label": "work",
        "until": OFTEN,
    }
    given |= {"until": OFTEN, "run": RunOptions(group=2)}
    part = {"access": access.model_dump(), "command": f"touch {started}/part; sleep 300"}
    runs = Cancelled(
        scheduled(run_command, "flows/run_command.py:run_command", pool, **given),
        scheduled(whole, f"{started}/whole.py:whole", pool, **part),
    )
    cancel(pool, [runs.command, runs.whole], [started / name for name in ("db1", "db2", "part")])
    return runs


@pytest.mark.slow
def test_the_jobs_of_a_cancelled_command_are_killed_with_proof(access: Access, cancelled: Cancelled) -> None:
    for host in ("db1", "db2"):
        (record,) = jobs_of(cancelled.command, access, host)
        assert (record.state, record.survivors) == (State.KILLED, "")
        assert "its process tree is proven empty" in logged(cancelled.command, f"work on {host}: killed after ")


@pytest.mark.slow
def test_the_jobs_of_a_flow_that_is_part_of_a_cancelled_one_are_killed_too(
    access: Access, cancelled: Cancelled
) -> None:
    (part,) = subflows_of(cancelled.whole)
    (record,) = jobs_of(part, access, "db1")
    assert (record.label, record.state) == ("part", State.KILLED)


@pytest.mark.slow
def test_the_state_of_a_cancelled_run_says_what_became_of_each_job_and_its_polls_are_cancelled(
    cancelled: Cancelled,
) -> None:
    with get_client(sync_client=True) as client:

        def message() -> str:
            state = client.read_flow_run(cancelled.command.id).state
            assert state and state.is_cancelled()
            return state.message or ""

        await_true(lambda: message().startswith("None of its 2 jobs runs any more\n"))
        for host in ("db1", "db2"):
            assert f"• work on {host}: killed after " in message()
        mine = FlowRunFilter(id=FlowRunFilterId(any_=[cancelled.command.id]))
        await_true(
            lambda: (
                {run.state_name for run in client.read_task_runs(flow_run_filter=mine)} == {"Completed", "Cancelled"}
            )
        )


@pytest.mark.slow
def test_nothing_in_the_log_of_a_cancelled_run_says_that_it_crashed(cancelled: Cancelled) -> None:
    logged(cancelled.command, "None of its 2 jobs runs any more")
    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[cancelled.command.id]))
    with get_client(sync_client=True) as client:
        assert [log.message for log in client.read_logs(mine) if log.level >= logging.ERROR] == []


def test_of_many_jobs_of_a_cancelled_run_the_message_names_those_that_may_still_run_and_counts_the_rest() -> None:
    ends = [CancelledJob("a", "work", "its host is away", open_end=True)]
    ends += [CancelledJob(f"b{number}", "work", "killed") for number in range(30)]
    lines = message_of("line", ends).split("\n")
    assert lines[:3] == ["line", "• work on a MAY STILL RUN. its host is away", "• work on b0: killed"]
    assert lines[-1] == "• and 11 more jobs"


def test_each_job_of_a_cancelled_run_is_reported_and_one_that_cannot_be_reached_with_the_words_that_end_it(
    access: Access, lab: SshLab
) -> None:
    run = scheduled(run_command, access=access, hosts="all", command="sleep 300", label="work")
    work = Job(jid=jid_for("work", run=str(run.id)), cmd="sleep 300", label="work")
    labels = {work.jid: work.label}
    keep(run.id, [StartedJobs(access=access, hosts=("db1", "db2", "files1", "gone"), labels=labels)])
    for host in ("db1", "files1"):
        jobs_on(access, host).start(work)
    lab.stop_host("files1")
    try:
        kill_jobs(run_command, run, Cancelling())
    finally:
        lab.start_host("files1")
    assert jobs_of(run, access, "db1")[0].state is State.KILLED
    assert "its process tree is proven empty" in logged(run, "work on db1: killed after ")
    (left,) = jobs_of(run, access, "files1")
    assert left.state is State.RUNNING
    words = logged(run, "work on files1 MAY STILL RUN. files1: ").partition("End it with: ")[2]
    reported = f"gone is not in {access.inventory} any more: it was not asked. Its jobs there are {work.jid}"
    assert logged(run, "work on gone MAY STILL RUN. ") == reported
    assert words == f"remotejobs kill files1 {left.jid} -i {access.inventory}"
    assert main(shlex.split(words)[1:]) == 0
    assert jobs_of(run, access, "files1")[0].state is State.KILLED


@flow
def leaves_a_job_running(access: Access) -> None:
    run_command(access, "db1", "sleep 300", until=Until(delay=0))


def test_the_jobs_of_called_flows_are_found_by_what_these_were_given(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=None))
    state = leaves_a_job_running(Access(inventory="db1,db2"), return_state=True)
    with get_client(sync_client=True) as client:
        assert state.state_details.flow_run_id
        run = client.read_flow_run(state.state_details.flow_run_id)
    (end,) = kill_jobs_of_subflows(run)
    assert (end.host, end.label, end.open_end) == ("db1", "command", False)
    assert [start.state for start in fake.started()] == [State.KILLED]


KILLED = [backup, download, restart_services, run_command, side_by_side, upgrade, watched_deploy, with_rollback]


@pytest.mark.parametrize("flow", KILLED)
def test_cancelling_a_flow_kills_its_jobs(flow: Flow[..., Any]) -> None:
    assert flow.on_cancellation_hooks == [kill_jobs]


def test_that_no_job_was_found_is_not_called_a_proof(access: Access) -> None:
    run = scheduled(run_command, access=access, hosts="db1", command="true")
    labels = {jid_for("command", run=str(run.id)): "command"}
    keep(run.id, [StartedJobs(access=access, hosts=("db1",), labels=labels)])
    kill_jobs(run_command, run, Cancelling())
    assert logged(run, "No job of it was found to end") == ""


@remote_flow("of-a-user")
def of_a_user(where: Access, plan: str, label: int, hosts: list[str]) -> None:
    """Its parameters are named as it likes, and it chooses its hosts itself."""
    for host in hosts:
        start_job(Job(jid=jid_for("dump", plan), cmd="sleep 300", label=f"dump {label}"), f"db{host}", where)


def test_the_jobs_of_any_flow_are_found_by_the_id_of_its_run_whatever_its_parameters_are_called(
    fake: FakeHosts,
) -> None:
    fake.plan(".", Plan(lasts=None))
    state = of_a_user(Access(inventory="db1,db2,db3"), "b", 7, ["1", "2"], return_state=True)
    with get_client(sync_client=True) as client:
        assert state.state_details.flow_run_id
        run = client.read_flow_run(state.state_details.flow_run_id)
    (hook,) = of_a_user.on_cancellation_hooks
    hook(of_a_user, run, Cancelling())
    assert [(start.host, start.state) for start in fake.started()] == [("db1", State.KILLED), ("db2", State.KILLED)]
    assert logged(run, "None of its 2 jobs runs any more") == ""


def test_a_run_with_on_cancel_leave_leaves_its_jobs_running(fake: FakeHosts) -> None:
    fake.plan(".", Plan(lasts=None))
    options = RunOptions(on_cancel="leave")
    left = Until(delay=0)
    state = run_command(Access(inventory="db1,"), "all", "sleep 300", until=left, run=options, return_state=True)
    with get_client(sync_client=True) as client:
        assert state.state_details.flow_run_id
        run = client.read_flow_run(state.state_details.flow_run_id)
    kill_jobs(run_command, run, Cancelling())
    assert [start.state for start in fake.started()] == [State.RUNNING]
    assert logged(run, "Its jobs were left running, as asked; their jids end in ") == str(run.id)
