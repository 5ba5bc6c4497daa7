"""An update that goes on is not resumed beside itself; one whose controller was killed is, though it is Running."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.events import Event, Resource
from prefect.states import Cancelling, Crashed, Pending, Running

from remotejobs.errors import UsageError
from remotejobs.prefect.flows.rolling_update import rolling_update
from remotejobs.prefect.tasks.recovery.heartbeats import has_recent_heartbeat
from remotejobs.prefect.tasks.rolling.runs import this_update
from tests.awaiting import await_true


def run_in(state: State[None]) -> UUID:
    given: dict[str, object] = {"update": {}, "hosts": "web", "access": {"inventory": "hosts.yml"}}
    with get_client(sync_client=True) as client:
        return client.create_flow_run(rolling_update, parameters=given, state=state).id


def beat(run: UUID) -> None:
    """Say that it lives, as its process does every 30 s, and wait until the server has written that down."""
    heartbeat = Event(
        event="prefect.flow-run.heartbeat", resource=Resource({"prefect.resource.id": f"prefect.flow-run.{run}"})
    )
    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[heartbeat.model_dump(mode="json")]).raise_for_status()
        await_true(lambda: has_recent_heartbeat(client, run))


def test_one_that_gives_signs_of_life_is_not_resumed_until_it_has_ended(prefect_server: Path) -> None:
    run = run_in(Running())
    beat(run)
    with pytest.raises(UsageError, match="goes on: it is Running, and its process lives") as refusal:
        this_update(str(run))
    assert "Cancel it" in str(refusal.value)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Crashed(), force=True)
    assert this_update(str(run)) == str(run)


def test_one_that_is_silent_is_resumed_though_the_server_thinks_that_it_runs(prefect_server: Path) -> None:
    run = run_in(Running())
    assert this_update(str(run)) == str(run)


@pytest.mark.parametrize("state", [Pending(), Cancelling()])
def test_one_that_is_about_to_begin_or_being_cancelled_is_not_resumed(prefect_server: Path, state: State[None]) -> None:
    with pytest.raises(UsageError, match=f"goes on: it is {state.name}"):
        this_update(str(run_in(state)))
