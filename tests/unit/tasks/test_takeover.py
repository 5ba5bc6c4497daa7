"""When a process finds that its flow run does not need it any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.objects import State
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Completed, Crashed, Failed, Pending, Running

from remotejobs.prefect.tasks.recovery.recover import was_being_cancelled, was_cut_short
from remotejobs.prefect.tasks.recovery.takeover import ended_before, why_superseded

BEGAN = datetime.now(UTC) - timedelta(minutes=10)


def at(state: State[None], seconds: float) -> State[None]:
    """The state, entered so long after the process began."""
    return state.model_copy(update={"timestamp": BEGAN + timedelta(seconds=seconds)})


MINE = at(Running(), 0)
BEFORE = [at(AwaitingRetry(), -20), at(Pending(), -10), MINE]


@pytest.mark.parametrize(
    "since",
    [
        pytest.param([], id="nothing has happened since"),
        pytest.param([at(Crashed(), 60), at(Running(), 100)], id="it was reported dead, and put right"),
    ],
)
def test_it_goes_on_while_the_run_is_its_own(since: list[State[None]]) -> None:
    assert why_superseded(MINE, [*BEFORE, *since]) == ""


def test_it_goes_on_while_its_worker_has_its_turn_to_cancel_it() -> None:
    just_now: State[None] = Cancelling(timestamp=datetime.now(UTC) - timedelta(seconds=5))
    assert why_superseded(MINE, [*BEFORE, just_now]) == ""


@pytest.mark.parametrize(
    ("since", "why"),
    [
        ([at(AwaitingRetry(), 60)], "Another process goes on with this run"),
        ([at(AwaitingRetry(), 60), at(Pending(), 70), at(Running(), 80)], "Another process goes on with this run"),
        ([at(Cancelling(), 60)], "The run was cancelled, and its worker did not end it"),
        ([at(Cancelling(), 60), at(Cancelled(), 70)], "The run was cancelled"),
    ],
)
def test_it_ends_when_the_run_was_given_to_another_or_cancelled(since: list[State[None]], why: str) -> None:
    assert why_superseded(MINE, [*BEFORE, *since]) == why


def test_of_two_processes_that_begin_one_run_the_later_ends() -> None:
    later = at(Running(), 60)
    assert why_superseded(MINE, [*BEFORE, later]) == ""
    assert why_superseded(later, [*BEFORE, later]) == "Another process had started this run"


@pytest.mark.parametrize(
    ("since", "cancelled"),
    [
        ([at(Crashed(), 60)], False),
        ([at(Cancelling(), 60), at(Crashed(), 61)], True),
        ([at(Cancelling(), 60), at(Cancelled(), 90), at(AwaitingRetry(), 100), at(Running(), 110)], False),
    ],
)
def test_a_run_that_died_of_its_cancelling_is_not_resumed(since: list[State[None]], cancelled: bool) -> None:
    assert was_being_cancelled([*BEFORE, *since]) is cancelled


@pytest.mark.parametrize("end", [Completed(), Failed(), Cancelled()], ids=lambda end: end.name)
def test_a_run_that_had_ended_before_a_process_began_it_had_that_end(end: State[None]) -> None:
    late = at(Running(), 60)
    assert ended_before(late, [*BEFORE, at(end, 50), late]) == at(end, 50)
    assert ended_before(late, [*BEFORE, at(end, 40), at(AwaitingRetry(), 45), at(Pending(), 50), late]) is None


def test_a_death_that_was_reported_is_no_end() -> None:
    assert ended_before(MINE, [*BEFORE[:-1], at(Crashed(), -5), MINE]) is None
    assert ended_before(MINE, BEFORE) is None


@pytest.mark.parametrize(
    ("since", "cut"),
    [
        ([at(Cancelled(), 60)], True),
        ([at(Crashed(), 50), at(Running(), 55), at(Cancelled(), 60)], True),
        ([at(Cancelling(), 50), at(Cancelled(), 60)], False),
        ([at(Cancelled(), 60), at(Cancelled(), 90)], False),
        ([at(Cancelled(), 60), at(Completed(), 61)], False),
        ([at(Cancelled(), 60), at(AwaitingRetry(), 70), at(Cancelled(), 75)], False),
    ],
    ids=["running", "put right", "asked", "done", "completed", "not started again"],
)
def test_a_run_that_was_set_to_cancelled_while_it_ran_was_cut_short(since: list[State[None]], cut: bool) -> None:
    assert was_cut_short([*BEFORE, *since]) is cut
