"""A recovery that dies itself: no other one is started for it, which would need one in turn. The next scan finds it."""

from __future__ import annotations

import signal

import pytest
from prefect.client.orchestration import SyncPrefectClient

from lab.process import ServerProcess
from lab.runs import deployment
from remotejobs.prefect.tasks.recovery.heartbeats import has_recent_heartbeat
from tests.cluster import Cluster, await_true
from tests.processes import processes
from tests.resume.conftest import send

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(900)]


def test_it_begins_anew_and_nobody_recovers_it(cluster: Cluster, survivor: ServerProcess) -> None:
    stuck = deployment(cluster.api, "zz-recover-stuck-runs")
    # A worker that died had taken this one, and it is not recovered: it keeps no other out.
    cluster.api.take(cluster.api.run(stuck, after=3599))
    # As a schedule does it: made long before it scans. What was alive in between may be dead by then.
    scan = cluster.api.run(stuck, after=3600)
    # Somebody took this one and does not begin it: a recovery waits for that.
    taken = cluster.api.run(deployment(cluster.api, "transfer"), state="PENDING")
    recovery = cluster.api.run(deployment(cluster.api, "zz-recover"), {"flow_run_id": str(taken.id)})
    with SyncPrefectClient(cluster.prefect.api_url) as client:
        await_true(lambda: has_recent_heartbeat(client, recovery.id))
    send(signal.SIGKILL, processes(recovery.id))
    cluster.await_state(recovery, "Crashed")
    cluster.api.retry(scan)
    cluster.await_state(scan, "Completed")
    cluster.await_run(recovery, lambda now: now.run_count >= 2)
    cluster.api.crash(taken)
    cluster.await_state(recovery, "Completed")
    assert cluster.recoveries_of(recovery) == []
