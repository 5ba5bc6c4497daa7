"""A run whose process is dead is resumed, unless that is no use, or the server does not have it."""

from __future__ import annotations

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingRetry, Crashed, Running

from tasks.rescue import DiesAgain, NotResumed, resume


@flow
def nothing() -> None:
    """Stands for a flow whose process died."""


def dead(client: SyncPrefectClient, *, deployed: bool) -> FlowRun:
    if not deployed:
        return client.create_flow_run(nothing, state=Crashed())
    deployment = client.create_deployment(client.create_flow(nothing), name="to-rescue")
    run = client.create_flow_run_from_deployment(deployment)
    die(client, run)
    return client.read_flow_run(run.id)


def die(client: SyncPrefectClient, run: FlowRun) -> None:
    then: State[None]
    for then in (Running(), Crashed()):
        client.set_flow_run_state(run.id, then, force=True)


def test_it_is_resumed_five_times_within_an_hour_and_left_alone_at_its_sixth_death() -> None:
    with get_client(sync_client=True) as client:
        run = dead(client, deployed=True)
        for time in range(1, 6):
            assert resume(client, run) == f"its process is dead: it was resumed, {time} of at most 5 times"
            state = client.read_flow_run(run.id).state
            assert state and state.name == AwaitingRetry().name
            die(client, run)
        with pytest.raises(DiesAgain, match="was resumed 5 times within an hour, and its process died again"):
            resume(client, run)


def test_it_is_not_called_resumed_when_the_server_refuses() -> None:
    with get_client(sync_client=True) as client:
        run = dead(client, deployed=False)
        with pytest.raises(NotResumed, match="its process is dead, and the server did not let it be resumed: .*deploy"):
            resume(client, run)
        state = client.read_flow_run(run.id).state
        assert state and state.is_crashed()
