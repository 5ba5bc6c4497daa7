"""What an earlier `make deploy` made and is not declared any more.

The server keeps, in a variable named after the project, which deployments and automations are of its `make deploy`. So
nothing else is ever removed: neither what was made by hand, nor what another project declares.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.exceptions import ObjectNotFound
from pydantic import BaseModel, ConfigDict, ValidationError

from remotejobs.errors import UsageError
from remotejobs.prefect.deployments.change import Change
from remotejobs.prefect.deployments.declared import Declared
from remotejobs.prefect.deployments.flows import DeclaredFlows


class Made(BaseModel):
    """Ids by name: an object of the same name with another id is not ours."""

    model_config = ConfigDict(frozen=True)

    deployments: dict[str, UUID] = {}
    automations: dict[str, UUID] = {}


def removals(client: SyncPrefectClient, flows: DeclaredFlows, declared: Declared) -> Iterator[Change]:
    """Automations first: they may name deployments."""
    made = _made(client, flows.project)
    automations = {automation.name for automation in declared.automations}
    for name, id_ in made.automations.items():
        if name not in automations and any(each.id == id_ for each in client.read_automations_by_name(name)):
            yield Change("automation", name, partial(client.delete_automation, id_), removes=True)
    deployments = {entry.name for entry in flows.entries}
    for name, id_ in made.deployments.items():
        if name not in deployments and _there(client, id_):
            yield Change("deployment", name, partial(client.delete_deployment, id_), removes=True)


def keep_record(client: SyncPrefectClient, flows: DeclaredFlows, declared: Declared) -> None:
    """Have the server know what is of this project's `make deploy` now."""
    deployments, automations = {}, {}
    for entry in flows.entries:
        deployments[entry.name] = client.read_deployment_by_name(entry.name).id
    for automation in declared.automations:
        # One that needs a block that is not there was left out.
        for there in client.read_automations_by_name(automation.name)[:1]:
            automations[automation.name] = there.id
    made = Made(deployments=deployments, automations=automations)
    if made == _made(client, flows.project):
        return
    name, value = _variable(flows.project), made.model_dump(mode="json")
    if client.read_variable_by_name(name):
        client.update_variable(VariableUpdate(name=name, value=value))
    else:
        client.create_variable(VariableCreate(name=name, value=value))


def _made(client: SyncPrefectClient, project: str) -> Made:
    variable = client.read_variable_by_name(_variable(project))
    try:
        return Made.model_validate(variable.value) if variable else Made()
    except ValidationError as exc:
        raise UsageError(
            f"the server's variable {_variable(project)} is not what `make deploy` wrote there",
            remedy=f"`prefect variable delete {_variable(project)}`; what was declared before is then left alone.",
        ) from exc


def _variable(project: str) -> str:
    return f"{project}_deployed"


def _there(client: SyncPrefectClient, deployment: UUID) -> bool:
    try:
        client.read_deployment(deployment)
    except ObjectNotFound:
        return False
    return True
