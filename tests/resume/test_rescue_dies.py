"""A rescue that dies itself: no other one is started for it, which would need one in turn. The next look finds it."""

from __future__ import annotations

import signal

import pytest
from prefect.client.orchestration import SyncPrefectClient

from lab.process import Server
from lab.runs import deployment
from tasks.signs_of_life import was_heard
from tests.resume.conftest import Night, await_true, send
from tests.run_processes import processes

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]


def test_it_begins_anew_and_nobody_rescues_it(night: Night, worker: Server) -> None:
    neglected = deployment(night.api, "rescue-neglected")
    # A worker that died had taken this one, and nobody rescues it: it keeps no other out.
    night.api.take(night.api.run(neglected, after=59))
    # As a schedule does it: made long before it looks. What was alive in between may be dead by then.
    look = night.api.run(neglected, after=60)
    # Somebody took this one and does not begin it: a rescue waits for that.
    taken = night.api.run(deployment(night.api, "push-file"), state="PENDING")
    rescue = night.api.run(deployment(night.api, "rescue"), {"flow_run_id": str(taken.id)})
    with SyncPrefectClient(night.prefect.api_url) as client:
        await_true(lambda: was_heard(client, rescue.id))
    send(signal.SIGKILL, processes(rescue.id))
    night.await_state(rescue, "Crashed")
    night.await_state(look, "Completed")
    await_true(lambda: night.api.flow_run(rescue).run_count == 2)
    night.api.crash(taken)
    night.await_state(rescue, "Completed")
    assert night.rescues_of(rescue) == []
