"""At the real waiting times: the server is away for five minutes, and then a worker dies with its run."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from lab.ports import free_ports
from lab.servers.prefect.server import PrefectServer
from remotejobs.prefect.tasks.timings import Timings
from tests.cluster import Cluster, running_cluster
from tests.processes import processes
from tests.resume.absence import ENDED, GOING_ON, NAMES, assert_ended_well_at_its_first_try, runs_through_absence
from tests.resume.conftest import HOSTS, send, start_command

pytestmark = [pytest.mark.slowest, pytest.mark.faults, pytest.mark.timeout(1800)]

AWAY = 300.0  # seconds
# A process that cannot report how its run ended tries again 2, 4, 8 ... 128, 256 s later. For jobs that end then one of
# these comes soon after the absence, and the test does not take minutes longer.
JOBS_END_AFTER = 200.0


@pytest.fixture(scope="module")
def real_times(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With the settings of deployments/server.env, all of them."""
    directory = tmp_path_factory.mktemp("cluster")
    prefect = PrefectServer(directory / "prefect", port=free_ports(1)[0])
    with running_cluster(directory, prefect, HOSTS) as cluster:
        yield cluster


def test_no_run_fails_of_five_minutes_without_a_server_and_one_goes_on_when_its_worker_died(
    real_times: Cluster,
) -> None:
    worker = real_times.prefect.start_worker("first")
    late = Timings().start_timeout
    runs = runs_through_absence(real_times, away=AWAY, jobs_end_after=JOBS_END_AFTER, late=late)
    for name in NAMES:
        assert_ended_well_at_its_first_try(real_times, runs[name], name)
    for name in (*ENDED, GOING_ON):
        assert "AwaitingRetry" not in real_times.api.states(runs[name])
    dead = start_command(real_times, "dead")
    real_times.await_runs("dead", [1, 1, 1])
    send(signal.SIGKILL, [worker.pid, *processes(dead.id)])
    real_times.prefect.start_worker("second")
    real_times.await_run(dead, lambda now: now.run_count >= 2)
    real_times.go("dead")
    real_times.await_state(dead, "Completed")
    assert real_times.runs_of("dead") == [1, 1, 1]
