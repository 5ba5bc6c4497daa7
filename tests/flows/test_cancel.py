"""A cancelled flow run ends its jobs on their hosts and says of each what became of it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling, Scheduled

from flows.backup import backup
from flows.clean_jobs import clean_jobs
from flows.run_command import run_command
from lab.sshd import SshLab
from remotejobs.backup import BackupPlan
from remotejobs.cli import main
from remotejobs.model import Record, State
from tasks.access import Access
from tasks.backups import jid_of
from tasks.cancel import kill_jobs, kill_jobs_of
from tasks.connections import jobs_on
from tasks.until import Until
from tests.awaiting import await_true

OFTEN = Until(retries=300, delay=1)
PROJECT = Path(__file__).parents[2]
WITHIN = 120


def scheduled(flow: Flow[..., Any], entrypoint: str, **parameters: object) -> FlowRun:
    """A flow run that a worker would take."""
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(PROJECT)}}
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow(flow), name="to-cancel", entrypoint=entrypoint, pull_steps=[step]
        )
        given = flow.serialize_parameters(parameters)
        return client.create_flow_run_from_deployment(deployment, parameters=given, state=Scheduled())


def cancel(run: FlowRun, begun: list[Path], before: Callable[[], object] = lambda: None) -> None:
    """Run it in a process of its own, and cancel it when every file of `begun` is there."""
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    execute = [sys.executable, "-m", "prefect", "flow-run", "execute", str(run.id)]
    with subprocess.Popen(execute, env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        await_true(lambda: process.poll() is not None or all(path.exists() for path in begun))
        assert process.poll() is None, process.communicate()[0]
        before()
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Cancelling())
            process.communicate(timeout=WITHIN)
            state = client.read_flow_run(run.id).state
            assert state and state.is_cancelled()


def logged(run: FlowRun, words: str) -> str:
    """The rest of the one line with `words` in the log of the run, where it comes a little late."""
    mine = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        await_true(lambda: any(words in log.message for log in client.read_logs(mine)))
        (line,) = [log.message for log in client.read_logs(mine) if words in log.message]
    return line.partition(words)[2]


def jobs_of(run: FlowRun, access: Access, host: str) -> list[Record]:
    return [record for record in jobs_on(access, host).list() if record.jid.endswith(str(run.id))]


@pytest.mark.slow
@pytest.mark.parametrize("group", [1, 2])
def test_the_jobs_of_a_cancelled_command_are_killed_with_proof(access: Access, tmp_path: Path, group: int) -> None:
    forking = f"setsid sleep 300 & touch {tmp_path}/$(basename $(dirname $HOME)); sleep 300"
    given = {
        "access": access,
        "hosts": "databases",
        "command": forking,
        "label": "work",
        "until": OFTEN,
        "group": group,
    }
    run = scheduled(run_command, "flows/run_command.py:run_command", **given)
    cancel(run, [tmp_path / "db1", tmp_path / "db2"])
    for host in ("db1", "db2"):
        (record,) = jobs_of(run, access, host)
        assert (record.state, record.survivors) == (State.KILLED, "")
        assert "its process tree is proven empty" in logged(run, f"work on {host}: killed after ")


@pytest.mark.slow
def test_each_job_of_a_cancelled_backup_is_told_and_one_that_cannot_be_reached_with_the_words_that_end_it(
    access: Access, lab: SshLab, tmp_path: Path
) -> None:
    slow = f"touch {tmp_path}/$(basename $(dirname $HOME)); sleep 300"
    items = [("slow", "db1", slow), ("away", "files1", slow), ("nowhere", "gone", slow)]
    commands = [{"name": name, "hosts": hosts, "command": text} for name, hosts, text in items]
    plan = BackupPlan.model_validate({"directory": "backups", "min_free_mib": 0, "commands": commands})
    run = scheduled(backup, "flows/backup.py:backup", access=access, plan=plan, poll=1)
    try:
        cancel(run, [tmp_path / "db1", tmp_path / "files1"], lambda: lab.stop_host("files1"))
    finally:
        lab.start_host("files1")
    assert jobs_of(run, access, "db1")[0].state is State.KILLED
    assert "its process tree is proven empty" in logged(run, "command slow on db1: killed after ")
    (left,) = jobs_of(run, access, "files1")
    assert left.state is State.RUNNING
    words = logged(run, "command away on files1 MAY STILL RUN. files1: ").partition("End it with: ")[2]
    unknown = logged(run, "command nowhere on gone MAY STILL RUN. ")
    assert "'gone'" in unknown
    jid = jid_of(plan.items[-1], run=str(run.id))
    assert unknown.endswith(f"no host was asked. Where it began before that, it is the job {jid}")
    assert words == f"remotejobs kill files1 {left.jid} -i {access.inventory}"
    assert main(shlex.split(words)[1:]) == 0
    assert jobs_of(run, access, "files1")[0].state is State.KILLED


PART = """
from prefect import flow
from flows.run_command import run_command

@flow
def whole(access: dict, command: str) -> None:
    run_command(access, "db1", command, label="part", until={"delay": 1})
"""


@pytest.mark.slow
def test_the_jobs_of_a_flow_that_is_part_of_a_cancelled_one_are_killed_too(access: Access, tmp_path: Path) -> None:
    @flow
    def whole(access: dict[str, object], command: str) -> None:
        """Stands for the one in the file."""

    (tmp_path / "whole.py").write_text(PART)
    command = f"touch {tmp_path}/begun; sleep 300"
    run = scheduled(whole, f"{tmp_path}/whole.py:whole", access=access.model_dump(), command=command)
    cancel(run, [tmp_path / "begun"])
    (record,) = [record for record in jobs_on(access, "db1").list() if record.label == "part"]
    assert record.state is State.KILLED


def test_a_run_that_started_nothing_has_nothing_to_end(access: Access) -> None:
    run = scheduled(run_command, "flows/run_command.py:run_command", access=access, hosts="db1", command="true")
    kill_jobs(run_command, run, Cancelling())
    assert logged(run, "command on db1: ") == "it had not been started"


def test_that_no_job_was_found_is_not_called_a_proof(access: Access) -> None:
    run = scheduled(clean_jobs, "flows/clean_jobs.py:clean_jobs", access=access, hosts="db1")
    kill_jobs(clean_jobs, run, Cancelling())
    assert logged(run, "No job of it was found to end") == ""


@pytest.mark.parametrize("given", [{}, {"label": "work"}])
def test_hosts_that_the_inventory_does_not_name_any_more_are_an_open_end(access: Access, given: dict[str, str]) -> None:
    (end,) = kill_jobs_of({"access": access.model_dump(), "hosts": "db9", **given}, "1234")
    assert (end.host, end.open_end) == ("db9", True)
    assert "no host was asked" in end.said
    assert end.said.endswith("1234")
