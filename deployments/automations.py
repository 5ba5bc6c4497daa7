"""Automations: what differs on the server. They name deployments and blocks, whose ids are looked up."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from deployments.blocks import find_block
from deployments.change import Change, differences
from deployments.declared import Declared


def automation_changes(client: SyncPrefectClient, declared: Declared) -> Iterator[Change]:
    """One that needs what is not there, and will not be, is told and left out."""
    ids = _ids(client, declared)
    coming = {block.name for block in declared.blocks if not block.unset}
    for automation in declared.automations:
        missing = [name for name in automation.needs if name not in ids]
        if missing:
            lost = [name for name in missing if "/" not in name and name not in coming]
            why = (f"left out: there is no block {', '.join(lost)}",) if lost else ()
            yield Change("automation", automation.name, None if lost else _too_early, why)
            continue
        wanted = automation.core(ids)
        there = client.read_automations_by_name(automation.name)
        if not there:
            yield Change("automation", automation.name, partial(client.create_automation, wanted))
        elif what := differences(there[0].model_dump(), wanted.model_dump()):
            yield Change("automation", automation.name, partial(client.update_automation, there[0].id, wanted), what)


def _too_early() -> None:
    raise AssertionError("what it names comes first")


def _ids(client: SyncPrefectClient, declared: Declared) -> dict[str, str]:
    found: dict[str, str] = {}
    for block in declared.blocks:
        if document := find_block(client, block):
            found[block.name] = str(document.id)
    for name in {name for automation in declared.automations for name in automation.needs if "/" in name}:
        try:
            found[name] = str(client.read_deployment_by_name(name).id)
        except ObjectNotFound:
            continue
    return found
