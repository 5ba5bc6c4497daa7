"""What prefect.yaml and deployments/resources.yml declare, without a server."""

from __future__ import annotations

from deployments.declared import read


def test_dead_runs_cannot_take_the_places_of_those_that_rescue_them() -> None:
    assert [pool.concurrency_limit for pool in read().work_pools] == [None]
