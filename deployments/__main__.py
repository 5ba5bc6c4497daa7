"""`python -m deployments`: show what the server has not as it is declared, and make it so. `--plan`: only show."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from remotejobs.errors import RemoteJobsError, UsageError
from remotejobs.operations.web import fetch
from remotejobs.prefect.deployments import declared, flows
from remotejobs.prefect.deployments.automations import automation_changes
from remotejobs.prefect.deployments.blocks import block_changes
from remotejobs.prefect.deployments.change import Change
from remotejobs.prefect.deployments.declared import Declared
from remotejobs.prefect.deployments.flows import DeclaredFlows, deployment_changes
from remotejobs.prefect.deployments.pools_and_limits import limit_changes, pool_changes
from remotejobs.prefect.deployments.removals import keep_record, removals
from remotejobs.text import number_of

_WITHIN = 60.0  # seconds

Stage = Callable[[SyncPrefectClient, DeclaredFlows, Declared], Iterator[Change]]

# In this order: deployments name pools, automations name deployments and blocks.
STAGES: tuple[Stage, ...] = (
    lambda client, _, declared: pool_changes(client, declared.work_pools),
    lambda client, _, declared: limit_changes(client, declared.limits),
    lambda client, _, declared: block_changes(client, declared.blocks),
    lambda client, flows, _: deployment_changes(client, flows),
    lambda client, _, declared: automation_changes(client, declared),
    removals,
)


class NotAsDeclared(RemoteJobsError):
    """Check the server's log, and whether another deployment changes the same; then do it again."""


def main() -> int:
    """Exit code 0, also when something was left out, which is said; 1 when the server is not as declared at the end."""
    try:
        _make_it_so(_arguments())
    except RemoteJobsError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deployments", description=__doc__)
    parser.add_argument("--plan", action="store_true", help="show what would change, and change nothing")
    parser.add_argument(
        "--prefect-file", type=Path, default=flows.FILE, metavar="FILE", help="the deployments (prefect.yaml)"
    )
    parser.add_argument(
        "--resources", type=Path, default=declared.FILE, metavar="FILE", help="all else (deployments/resources.yml)"
    )
    return parser.parse_args()


def _make_it_so(arguments: argparse.Namespace) -> None:
    logging.getLogger("prefect").setLevel(logging.WARNING)
    resources = declared.read(arguments.resources)
    url = PREFECT_API_URL.value()
    if not url:
        # Prefect would start a server of its own, and forget it at the end.
        raise UsageError("no Prefect server is named", remedy="Say: export PREFECT_API_URL=http://HOST:4200/api")
    if error := fetch(f"{url}/health", timeout=_WITHIN).error:
        raise UsageError(
            f"the Prefect server at {url} does not answer: {error}", remedy="Start it, or correct the address."
        )
    deployments = flows.read_flows(arguments.prefect_file)
    with get_client(sync_client=True) as client:
        print(f"{client.api_url}")
        # Stage by stage: what one has made has an id for the next.
        todo = sum(_settled(stage(client, deployments, resources), only_show=arguments.plan) for stage in STAGES)
        if not arguments.plan:
            _read_back([change for stage in STAGES for change in stage(client, deployments, resources)] if todo else [])
            keep_record(client, deployments, resources)
    if arguments.plan or not todo:
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


def _read_back(changes: Sequence[Change]) -> None:
    """`changes` are what the server still has otherwise, after all was made. Raises `NotAsDeclared`."""
    if left := [str(change) for change in changes if change.apply is not None]:
        raise NotAsDeclared("\n".join(["the server took the changes, and does not hold what is declared:", *left, ""]))


if __name__ == "__main__":
    raise SystemExit(main())
