"""A rescue that dies itself begins anew. No other one looks after it, which would need one in turn."""

from __future__ import annotations

import signal

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.automations import automation_changes
from deployments.declared import read
from lab.prefect_api import Run
from lab.process import Server
from lab.runs import deployment
from tests.resume.conftest import Night, await_true, send
from tests.run_processes import processes

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]

NAME = "A rescue that died begins anew"
WITHIN = 45  # seconds, in place of 150; a heartbeat comes every 30 s


def be_hasty(night: Night) -> None:
    with temporary_settings({PREFECT_API_URL: night.prefect.api_url}), get_client(sync_client=True) as client:
        changes = automation_changes(client, read(within={NAME: WITHIN}))
        (change,) = [each for each in changes if each.name == NAME]
        assert change.apply
        change.apply()


def test_one_that_was_killed_and_one_that_froze_begin_anew_and_end_and_nobody_rescues_them(
    night: Night, worker: Server
) -> None:
    be_hasty(night)
    rescue = deployment(night.api, "rescue")
    # Somebody took it and does not begin it: rescues wait for that.
    taken = night.api.run(deployment(night.api, "push-file"), state="PENDING")
    killed, frozen = (night.api.run(rescue, {"flow_run_id": str(taken.id)}) for _ in range(2))
    for run in (killed, frozen):
        night.await_state(run, "Running")
    frozen_pids = processes(frozen.id)
    send(signal.SIGKILL, processes(killed.id))
    send(signal.SIGSTOP, frozen_pids)
    try:
        for run in (killed, frozen):
            await_second_try(night, run)
        night.api.crash(taken)
        for run in (killed, frozen):
            night.await_state(run, "Completed")
    finally:
        send(signal.SIGCONT, frozen_pids)
    await_true(lambda: not processes(frozen.id))
    of_rescues = {f"rescue {run.id}" for run in (killed, frozen)}
    assert of_rescues.isdisjoint(run.name for run in night.api.runs_of(rescue))


def await_second_try(night: Night, run: Run) -> None:
    await_true(lambda: night.api.flow_run(run).run_count == 2)
