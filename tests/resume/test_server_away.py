"""The server is away for a while. Whatever stage a run is in, it ends as it would have, and nothing runs twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.process import ServerProcess
from lab.servers.prefect.api import RunStatus
from remotejobs.prefect.tasks.timings import Timings
from tests.cluster import Cluster
from tests.resume.absence import ENDED, GOING_ON, NAMES, assert_ended_well_at_its_first_try, runs_through_absence

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(900)]

AWAY = 30.0  # seconds; tests/resume/test_real_times.py has the five minutes themselves


@pytest.fixture(scope="module")
def runs(cluster: Cluster, survivor: ServerProcess) -> dict[str, RunStatus]:
    """The five runs of `runs_through_absence`; after it every lease of a slot had expired."""
    late = Timings().scaled(0.1).start_timeout
    leases = cluster.prefect.directory / "concurrency_leases"
    return runs_through_absence(
        cluster, away=AWAY, jobs_end_after=AWAY - 5, late=late, meanwhile=lambda: expire(leases)
    )


def expire(leases: Path) -> None:
    """Let the leases of concurrency slots, which last for a minute and more, be as after five minutes of absence."""
    past = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    files = [path for path in leases.glob("*.json") if path.name != "expirations.json"]
    assert len(files) >= len((*ENDED, GOING_ON)), "runs under way hold slots"
    for path in files:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"expiration": past}))
    (leases / "expirations.json").write_text(json.dumps({path.stem: past for path in files}))


@pytest.mark.parametrize("name", NAMES)
def test_it_ends_well_at_its_first_try_and_its_jobs_ran_once(
    cluster: Cluster, runs: dict[str, RunStatus], name: str
) -> None:
    assert_ended_well_at_its_first_try(cluster, runs[name], name)


@pytest.mark.parametrize("name", [*ENDED, GOING_ON])
def test_one_that_was_under_way_was_never_taken_for_dead(
    cluster: Cluster, runs: dict[str, RunStatus], name: str
) -> None:
    """It sent no event all the while; it is searched for all the same before a recovery goes on with it."""
    cluster.await_state(runs[name], "Completed")
    assert "AwaitingRetry" not in cluster.api.states(runs[name])
