"""The deployment that shards are runs of: made when a run is first split, so that no list shows it before."""

from __future__ import annotations

from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from remotejobs.errors import UsageError
from remotejobs.prefect.tasks.runs.shards import POOL

_DESCRIPTION = "Not to be started by hand. Its runs are shards: shares of the hosts of a run of {name} that is split."


def deployment_of_shards(client: SyncPrefectClient, parent: FlowRun) -> UUID:
    """The id of the deployment for shards of `parent`, the run under way, with the program of its own deployment.

    One that the project declares as FLOW-shard is taken as it is. Raises `UsageError` for a run of no deployment.
    """
    name = str(flow_run.flow_name)
    try:
        return client.read_deployment_by_name(f"{name}/{name}-shard").id
    except ObjectNotFound:
        pass
    if parent.deployment_id is None:
        raise UsageError("only a run of a deployment can be split into shards", remedy="Deploy its flow: make deploy.")
    own = client.read_deployment(parent.deployment_id)
    # Where it is there already, the server changes it to this: so it never lags behind that of the parent.
    return client.create_deployment(
        flow_id=own.flow_id,
        name=f"zz-{name}-shard",
        description=_DESCRIPTION.format(name=name),
        tags=["resumable", "internal"],
        work_pool_name=POOL,
        job_variables=own.job_variables,
        entrypoint=own.entrypoint,
        path=own.path,
        pull_steps=own.pull_steps,
        parameter_openapi_schema=own.parameter_openapi_schema,
        enforce_parameter_schema=own.enforce_parameter_schema,
    )
