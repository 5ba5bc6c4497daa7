"""The README's program from an installed wheel, cancelled while its jobs run."""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from tests.awaiting import await_true
from tests.packaging.environments import Environment, project_at

# Takes what is scheduled, and is over when that has ended.
WORKER = """
import asyncio, sys
from prefect.workers.process import ProcessWorker
asyncio.run(ProcessWorker(work_pool_name=sys.argv[1]).start(run_once=True))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_cancel_of_the_readmes_program_ends_its_jobs_with_proof_and_says_so(
    installed: Environment, tmp_path: Path
) -> None:
    project = project_at(tmp_path / "project", "echo vacuuming; exec sleep 600")
    pool = f"vacuum-{uuid4().hex}"
    run = deployed(project, pool)
    env = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "PATH": f"{project}/bin:/usr/bin:/bin"}
    with ThreadPoolExecutor(1) as thread, get_client(sync_client=True) as client:
        worker: Future[str] = thread.submit(installed.run, "python", "-c", WORKER, pool, at=project, env=env)
        await_true(lambda: worker.done() or outputs(project) == ["vacuuming\n"] * 2)
        assert not worker.done(), worker.result()
        client.set_flow_run_state(run.id, Cancelling())
        said = worker.result()
        state = client.read_flow_run(run.id).state
        assert state and state.is_cancelled(), said
        # The worker's words come first, and ours in their place.
        await_true(lambda: message_of(client, run).startswith("None of its 2 jobs runs any more\n"))
        message = message_of(client, run)
    for host in ("db1", "db2"):
        assert re.search(f"vacuum on {host}: killed after .*; its process tree is proven empty", message)
    listed = installed.run("remotejobs", "list", "all", "-i", "inventories/hosts.yml", at=project)
    assert "2 jobs on 2 hosts: 2 killed" in listed


def deployed(project: Path, pool: str) -> FlowRun:
    """A run of the program, scheduled as its deployment in the project."""
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(project)}}
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
        deployment = client.create_deployment(
            client.create_flow_from_name("vacuum"),
            name=pool,
            entrypoint="vacuum.py:vacuum",
            pull_steps=[step],
            work_pool_name=pool,
        )
        given = {"access": {"inventory": "inventories/hosts.yml"}, "hosts": "db*"}
        return client.create_flow_run_from_deployment(deployment, parameters=given)


def message_of(client: SyncPrefectClient, run: FlowRun) -> str:
    state = client.read_flow_run(run.id).state
    return (state and state.message) or ""


def outputs(project: Path) -> list[str]:
    """What the jobs of both hosts have printed."""
    return [path.read_text() for path in project.glob("jobs-*/vacuum*/stdout")]
