"""`python -m deployments`: show what the server has not as it is declared, and make it so. `--plan`: only show."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from deployments.automations import automation_changes
from deployments.blocks import block_changes
from deployments.change import Change
from deployments.declared import Declared, read
from deployments.flows import deployment_changes
from deployments.pools_and_limits import limit_changes, pool_changes
from remotejobs.display.text import number_of
from remotejobs.errors import BadUse, RemoteJobsError
from remotejobs.web import fetch

_WITHIN = 60.0  # seconds

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
    """Exit code 0, also when something was left out, which is said; 1 when what is declared cannot be."""
    try:
        _make_it_so()
    except RemoteJobsError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _make_it_so() -> None:
    arguments = argparse.ArgumentParser(prog="python -m deployments", description=__doc__)
    arguments.add_argument("--plan", action="store_true", help="show what would change, and change nothing")
    only_show = arguments.parse_args().plan
    logging.getLogger("prefect").setLevel(logging.WARNING)
    declared = read()
    url = PREFECT_API_URL.value()
    if not url:
        # Prefect would start a server of its own, and forget it at the end.
        raise BadUse("no Prefect server is named", remedy="Say: export PREFECT_API_URL=http://HOST:4200/api")
    if error := fetch(f"{url}/health", timeout=_WITHIN).error:
        raise BadUse(
            f"the Prefect server at {url} does not answer: {error}", remedy="Start it, or correct the address."
        )
    with get_client(sync_client=True) as client:
        print(f"{client.api_url}")
        # Stage by stage: what one has made has an id for the next.
        todo = sum(_settled(stage(client, declared), only_show=only_show) for stage in STAGES)
    if only_show or not todo:
        print(f"{todo or 'nothing'} to change")
    else:
        print(f"applied {number_of(todo, 'change')}")


def _settled(changes: Iterator[Change], *, only_show: bool) -> int:
    """Show each and, unless that is all, make it; returns how many could be made."""
    todo = 0
    for change in list(changes):
        print(change)
        if change.apply is not None:
            todo += 1
            if not only_show:
                change.apply()
    return todo


if __name__ == "__main__":
    raise SystemExit(main())
