"""What an update did on a host, read from the host's jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.model import Job, Record, State
from remotejobs.operations.balancers import standing_in
from remotejobs.operations.rolling.history import StepKind, UpdateHistory, UpdateStep, history_of, word

UPDATE = "0b7c2b3e-6a55-4d0c-8d0b-2f6d3a1c9e11"
versions = st.text(max_size=80).map(word)
kinds = st.sampled_from(StepKind)


def record(step: UpdateStep, state: State = State.SUCCEEDED, update: str = UPDATE) -> Record:
    return Record(host="web1", jid=step.jid(update), state=state, label=step.label)


@given(st.integers(1, 999), kinds, versions, versions, st.sampled_from(State))
def test_a_step_is_read_back_from_its_job_as_it_was(
    number: int, kind: StepKind, target: str, before: str, state: State
) -> None:
    step = UpdateStep(number=number, kind=kind, target=target, before=before, state=state)
    Job(jid=step.jid(UPDATE), cmd="true", label=step.label)  # both are allowed there
    assert history_of([record(step, state)], UPDATE).steps == (step,)


@given(st.permutations(range(1, 8)))
def test_steps_are_in_their_order_however_the_host_lists_them(numbers: list[int]) -> None:
    records = [record(UpdateStep(number=number, kind=StepKind.NOTE, target="2", before="1")) for number in numbers]
    assert [step.number for step in history_of(records, UPDATE).steps] == list(range(1, 8))


def test_other_jobs_and_other_updates_are_none_of_it() -> None:
    step = UpdateStep(number=1, kind=StepKind.DEPLOY, target="2", before="1")
    others = [record(step, update="another"), Record(host="web1", jid="backup.1", state=State.RUNNING, label="backup")]
    assert history_of(others, UPDATE) == UpdateHistory()


def history(*steps: tuple[StepKind, str, State]) -> UpdateHistory:
    made = (
        UpdateStep(number=number, kind=kind, target=target, before="1.0", state=state)
        for number, (kind, target, state) in enumerate(steps, 1)
    )
    return UpdateHistory(tuple(made))


NOTE = (StepKind.NOTE, "2.0", State.SUCCEEDED)


def test_the_version_before_is_the_one_before_all_attempts() -> None:
    past = history(NOTE, (StepKind.DEPLOY, "2.0", State.FAILED))
    assert past.next(StepKind.DEPLOY, "2.0", before="broken").before == "1.0"
    assert UpdateHistory().next(StepKind.NOTE, "2.0", before="1.5").before == "1.5"


@pytest.mark.parametrize("state", [State.RUNNING, State.SUCCEEDED])
def test_a_deployment_that_runs_or_went_well_is_checked_before_another_begins(state: State) -> None:
    past = history(NOTE, (StepKind.DEPLOY, "2.0", state))
    assert past.open_step(StepKind.DEPLOY, "2.0") == past.last


@pytest.mark.parametrize(
    "past",
    [
        UpdateHistory(),
        history(NOTE),
        history(NOTE, (StepKind.DEPLOY, "2.0", State.FAILED)),
        history(NOTE, (StepKind.DEPLOY, "2.0", State.TIMED_OUT)),
        history(NOTE, (StepKind.DEPLOY, "2.0", State.LOST)),
        history(NOTE, (StepKind.DEPLOY, "1.9", State.SUCCEEDED)),
        history(NOTE, (StepKind.DEPLOY, "2.0", State.SUCCEEDED), NOTE, (StepKind.REVERT, "1.0", State.SUCCEEDED)),
    ],
)
def test_anything_else_is_deployed_again_under_a_number_of_its_own(past: UpdateHistory) -> None:
    assert past.open_step(StepKind.DEPLOY, "2.0") is None
    assert past.next(StepKind.DEPLOY, "2.0", "1.0").number not in {step.number for step in past.steps}


def test_after_a_note_the_history_is_what_its_host_would_say() -> None:
    for past in (UpdateHistory(), history(NOTE, (StepKind.DEPLOY, "2.0", State.FAILED))):
        note = past.next(StepKind.NOTE, "2.0", "1.0", standing_in("app/web1=ready@40"))
        read_back = history_of([record(step, step.state) for step in (*past.steps, note)], UPDATE)
        assert past.then(note) == read_back


def test_a_note_alone_touched_nothing() -> None:
    assert not history(NOTE).touched
    assert history(NOTE, (StepKind.DEPLOY, "2.0", State.RUNNING)).touched
