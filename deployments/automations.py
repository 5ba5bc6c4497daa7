"""Automations: what differs on the server. They name deployments and blocks, whose ids are looked up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from remotejobs.errors import UsageError
from remotejobs.prefect.deployments.blocks import find_block
from remotejobs.prefect.deployments.change import Change, differences
from remotejobs.prefect.deployments.declared import FILE, Declared


def automation_changes(client: SyncPrefectClient, declared: Declared) -> Iterator[Change]:
    """One that needs what is not there, and will not be, is reported and left out."""
    ids = _ids(client, declared)
    coming = {block.name for block in declared.blocks if not block.unset}
    for automation in declared.automations:
        missing = [name for name in automation.needs if name not in ids]
        if missing:
            if lost := [name for name in missing if "/" not in name and name not in coming]:
                why = f"left out: there is no block {', '.join(lost)}"
                yield Change("automation", automation.name, None, (why,))
            else:
                yield Change("automation", automation.name, partial(_refuse, automation.name, missing))
            continue
        wanted = automation.core(ids)
        there = client.read_automations_by_name(automation.name)
        if not there:
            yield Change("automation", automation.name, partial(client.create_automation, wanted))
        elif what := differences(there[0].model_dump(), wanted.model_dump()):
            yield Change("automation", automation.name, partial(client.update_automation, there[0].id, wanted), what)


def _refuse(automation: str, missing: Sequence[str]) -> None:
    """What comes first was made by now, so what is missing still is of nowhere."""
    raise UsageError(
        f"{FILE.name}: automation {automation!r}: the server has no {', '.join(missing)}",
        remedy="Name a deployment of prefect.yaml as FLOW/NAME, or a block of the same file.",
    )


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
