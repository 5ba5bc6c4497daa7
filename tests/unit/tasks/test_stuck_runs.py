"""Which runs are recovered when no event reported them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelling, Crashed, Pending, Running

from remotejobs.prefect.tasks.recovery.stuck_runs import is_stuck


def since(state: State[None], seconds: float, tag: str = "recover") -> FlowRun:
    entered = state.model_copy(update={"timestamp": datetime.now(UTC) - timedelta(seconds=seconds)})
    return FlowRun(flow_id=uuid4(), state=entered, tags=[tag])


def unreachable(_: UUID) -> bool:
    return False


def lively(_: UUID) -> bool:
    return True


@pytest.mark.parametrize(
    ("state", "seconds"),
    [(Pending(), 200), (Running(), 200), (Crashed(), 5)],
    ids=["not started", "unreachable", "dead"],
)
def test_one_in_trouble_is_seen_to(state: State[None], seconds: float) -> None:
    assert is_stuck(since(state, seconds), unreachable)


@pytest.mark.parametrize("state", [Pending(), Running(), Crashed(), Cancelling()], ids=lambda state: state.name)
def test_so_is_one_that_an_automation_should_have_heard_of(state: State[None]) -> None:
    assert is_stuck(since(state, 200, "resumable"), unreachable)


def test_a_dead_one_is_left_to_its_automation_first() -> None:
    assert not is_stuck(since(Crashed(), 5, "resumable"), unreachable)


@pytest.mark.parametrize(
    ("state", "seconds"), [(Pending(), 60), (Running(), 60), (Crashed(), 7200)], ids=["new", "new to run", "given up"]
)
def test_one_that_is_new_or_was_given_up_long_ago_is_left_alone(state: State[None], seconds: float) -> None:
    assert not is_stuck(since(state, seconds), unreachable)


@pytest.mark.parametrize("state", [Running(), Cancelling()], ids=lambda state: state.name)
def test_one_that_is_heard_is_left_alone(state: State[None]) -> None:
    assert not is_stuck(since(state, 200), lively)
