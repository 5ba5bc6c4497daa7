"""Change a database and the program that uses it without a pause: expand, update every host, contract behind a gate."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from remotejobs.operations.migration import Commands
from remotejobs.operations.rolling import Update
from remotejobs.prefect import Access, HostPattern, remote_flow
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.flows.rolling_update import rolling_update
from remotejobs.prefect.tasks.approval import NOT_NEEDED, Approval, ask


@remote_flow("expand-contract", run_name="{update.version} on {web}, expand and contract on {databases}")
def expand_contract(
    access: Access,
    databases: HostPattern,
    web: HostPattern,
    expand: Commands,
    update: Update,
    contract: Commands,
    gate: Approval = NOT_NEEDED,
) -> State[Any]:
    """Expand the databases, update every web host, and contract: each only if all before it succeeded.

    Args:
        databases: Hosts to migrate.
        web: Hosts to update.
        expand: Adds what the new version needs; the old one has to go on with it. May run twice.
        update: What to deploy, and when to stop.
        contract: Removes what only the old version needs: from here on nothing is reverted.
        gate: Whether a person has to agree before that.
    """
    # Each is a run of its own; one that is there already when this run begins anew is not made again.
    migrate, bring = migration.with_options(persist_result=True), rolling_update.with_options(persist_result=True)
    for name, state in (
        ("expand", lambda: migrate(access, databases, expand, return_state=True)),
        ("update", lambda: bring(access, web, update, return_state=True)),
    ):
        if not (ended := state()).is_completed():
            return _stopped(name, ended)
    if no := ask(
        gate, f"{update.version} runs on {web}. Contract {databases}? There is no way back after it.", about="contract"
    ):
        return Completed(name="Expanded", message=f"{update.version} runs on {web}; not contracted: {no}")
    ended = migrate(access, databases, contract, return_state=True)
    if not ended.is_completed():
        return _stopped("contract", ended)
    return Completed(message=f"{update.version} runs on {web}; {databases} expanded and contracted")


def _stopped(step: str, ended: State[Any]) -> State[Any]:
    return Failed(name="Stopped", message=f"{step} ended as {ended.name}: {ended.message}")
