"""What prefect.yaml and deployments/resources.yml declare, without a server."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from deployments.declared import read
from deployments.flows import PROJECT
from tasks.fence import end_when_unwanted

DECLARED = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]


def test_dead_runs_cannot_take_the_places_of_those_that_rescue_them() -> None:
    assert [pool.concurrency_limit for pool in read().work_pools] == [None]


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["name"]) for entry in DECLARED])
def test_where_another_process_may_go_on_with_a_run_the_one_before_it_ends_itself(entry: dict[str, Any]) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(str(PROJECT / entry["entrypoint"]))
    resumable = "resumable" in entry.get("tags", [])
    assert (end_when_unwanted in flow.on_running_hooks) is resumable
    # Waiting for its next try, a run looks like one that another process goes on with.
    assert not (resumable and flow.retries)
