"""What a cancelled run's last state says, and that it takes the place of no retry."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.states import AwaitingRetry, Cancelled, Running

from remotejobs.prefect.tasks.cancel.last_word import say
from remotejobs.workarounds.prefect.stale_cancel import RUNNERS_WORDS

WORDS = "None of its 2 jobs runs any more"


@flow(name="was-cancelled")
def was_cancelled() -> None:
    """Never run: its runs are put into states."""


@pytest.fixture
def run(prefect_server: object) -> UUID:
    """A run that its worker has just called Cancelled."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(was_cancelled, state=Running()).id
        client.set_flow_run_state(run, Cancelled(message=RUNNERS_WORDS), force=True)
    return run


def test_the_workers_words_are_replaced_by_what_became_of_the_jobs(run: UUID) -> None:
    with get_client(sync_client=True) as client:
        assert say(client, run, WORDS)
        state = client.read_flow_run(run).state
    assert state
    assert (state.name, state.message) == ("Cancelled", WORDS)


def test_a_retry_in_that_very_moment_stays(run: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    with get_client(sync_client=True) as client:
        retried_before(client, monkeypatch)
        assert say(client, run, WORDS)
        state = client.read_flow_run(run).state
        states = [state.name for state in client.read_flow_run_states(run)]
    assert state
    assert (state.name, state.message) == ("AwaitingRetry", "by hand")
    assert state.state_details.scheduled_time
    assert states == ["Running", "Cancelled", "AwaitingRetry", "Cancelled", "AwaitingRetry"]


def retried_before(client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a person retry the run after it was read and before its state is set."""
    set_state = client.set_flow_run_state

    def later(run: UUID, state: State[Any], *, force: bool = False) -> object:
        monkeypatch.undo()
        set_state(run, AwaitingRetry(message="by hand"), force=True)
        return set_state(run, state, force=force)

    monkeypatch.setattr(client, "set_flow_run_state", later)
