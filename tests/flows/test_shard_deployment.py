"""The deployment of shards is made when a run is split, and is as the run's own, in the pool of shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.responses import DeploymentResponse
from prefect.runtime import flow_run

from remotejobs.errors import UsageError
from remotejobs.prefect.tasks.runs.shards import POOL
from remotejobs.prefect.tasks.shards.deployment import deployment_of_shards


@pytest.fixture
def client(prefect_server: Path) -> Iterator[SyncPrefectClient]:
    """With the pool of shards, as its first worker makes it."""
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"), overwrite=True)
        yield client
        for made in client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=["vacuum"]))):
            client.delete_deployment(made.id)
        client.delete_work_pool(POOL)


@flow(name="vacuum")
def split(deployment: UUID | None) -> DeploymentResponse:
    with get_client(sync_client=True) as client:
        parent = client.read_flow_run(UUID(flow_run.id)).model_copy(update={"deployment_id": deployment})
        return client.read_deployment(deployment_of_shards(client, parent))


def deploy(client: SyncPrefectClient, name: str, entrypoint: str) -> UUID:
    steps = [{"prefect.deployments.steps.set_working_directory": {"directory": "/srv/project"}}]
    variables = {"env": {"PREFECT_CLIENT_MAX_RETRIES": "8"}}
    return client.create_deployment(
        client.create_flow_from_name("vacuum"),
        name,
        entrypoint=entrypoint,
        pull_steps=steps,
        work_pool_name=POOL,
        job_variables=variables,
        tags=["resumable", "ops"],
    )


def test_it_runs_what_the_deployment_of_the_split_run_runs_and_keeps_up_with_it(client: SyncPrefectClient) -> None:
    parent = deploy(client, "nightly", "flows/vacuum.py:vacuum")
    made = split(parent)
    assert (made.name, made.work_pool_name, made.entrypoint) == ("zz-vacuum-shard", POOL, "flows/vacuum.py:vacuum")
    assert made.tags == ["resumable", "internal"]
    assert made.pull_steps == client.read_deployment(parent).pull_steps
    assert made.job_variables == {"env": {"PREFECT_CLIENT_MAX_RETRIES": "8"}}
    deploy(client, "nightly", "flows/newer.py:vacuum")
    again = split(parent)
    assert (again.id, again.entrypoint) == (made.id, "flows/newer.py:vacuum")


def test_one_that_the_project_declares_is_taken_as_it_is(client: SyncPrefectClient) -> None:
    declared = deploy(client, "vacuum-shard", "flows/own.py:vacuum")
    assert split(deploy(client, "nightly", "flows/vacuum.py:vacuum")).id == declared


def test_a_run_of_no_deployment_is_not_split(client: SyncPrefectClient) -> None:
    with pytest.raises(UsageError, match="only a run of a deployment can be split"):
        split(None)
