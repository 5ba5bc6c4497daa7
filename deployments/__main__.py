"""`python -m deployments`: show what the server has not as it is declared, and make it so. `--plan`: only show."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator

from prefect.client.orchestration import SyncPrefectClient, get_client

from deployments.automations import automation_changes
from deployments.blocks import block_changes
from deployments.change import Change
from deployments.declared import Declared, read
from deployments.flows import deployment_changes
from deployments.pools_and_limits import limit_changes, pool_changes

Stage = Callable[[SyncPrefectClient, Declared], Iterator[Change]]

# In this order: deployments name pools, automations name deployments and blocks.
STAGES: tuple[Stage, ...] = (
    lambda client, declared: pool_changes(client, declared.work_pools),
    lambda client, declared: limit_changes(client, declared.limits),
    lambda client, declared: block_changes(client, declared.blocks),
    lambda client, _: deployment_changes(client),
    automation_changes,
)


def main() -> int:
    """Exit code 0, also when something was left out, which is said."""
    arguments = argparse.ArgumentParser(prog="python -m deployments", description=__doc__)
    arguments.add_argument("--plan", action="store_true", help="show what would change, and change nothing")
    only_show = arguments.parse_args().plan
    logging.getLogger("prefect").setLevel(logging.WARNING)
    declared = read()
    with get_client(sync_client=True) as client:
        print(f"{client.api_url}")
        found = [change for stage in STAGES for change in stage(client, declared)]
        for change in found:
            print(change)
        todo = sum(change.apply is not None for change in found)
        if only_show or not todo:
            print(f"{todo or 'nothing'} to change")
            return 0
        print(f"applied {sum(_apply(stage, client, declared) for stage in STAGES)} changes")
    return 0


def _apply(stage: Stage, client: SyncPrefectClient, declared: Declared) -> int:
    """Look again: what an earlier stage made has an id now."""
    applied = 0
    for change in list(stage(client, declared)):
        if change.apply is not None:
            change.apply()
            applied += 1
    return applied


if __name__ == "__main__":
    raise SystemExit(main())
