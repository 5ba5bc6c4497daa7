"""Single decisions of a migration, each with what it has seen so far."""

from __future__ import annotations

from remotejobs.model import State
from remotejobs.operations.migration import (
    EnsureDead,
    HostStep,
    MigrationOutcome,
    MigrationPlan,
    MigrationStep,
    ObservedState,
    ObservedStep,
    RunSteps,
    StepStatus,
    Verdict,
    decide,
)
from tests.migration.world import seen


def test_a_migration_that_could_be_started_nowhere_is_refused() -> None:
    plan = MigrationPlan(("db1",), frozenset({MigrationStep.MIGRATE, MigrationStep.ROLLBACK}))
    verdict = decide(
        plan,
        ObservedState({HostStep("db1", MigrationStep.MIGRATE): ObservedStep(StepStatus.NOT_RUN, reason="disk full")}),
    )
    assert verdict == Verdict(MigrationOutcome.REFUSED, ("db1: migrate was not run (disk full)", "migrate ran nowhere"))


PREPARED = MigrationPlan(("db1", "db2"), frozenset({MigrationStep.BEFORE, MigrationStep.MIGRATE}))


def before(db1: State, db2: State, **alive: str) -> ObservedState:
    found = {HostStep("db1", MigrationStep.BEFORE): db1, HostStep("db2", MigrationStep.BEFORE): db2}
    return ObservedState({at: seen(at, state) for at, state in found.items()}, survivors=alive)


def test_nothing_is_migrated_anywhere_until_before_has_succeeded_on_every_host() -> None:
    assert decide(PREPARED, ObservedState()) == RunSteps(
        (HostStep("db1", MigrationStep.BEFORE), HostStep("db2", MigrationStep.BEFORE))
    )
    assert decide(PREPARED, before(State.SUCCEEDED, State.RUNNING)) == RunSteps(
        (HostStep("db2", MigrationStep.BEFORE),)
    )
    assert decide(PREPARED, before(State.SUCCEEDED, State.SUCCEEDED)) == RunSteps(
        (HostStep("db1", MigrationStep.MIGRATE), HostStep("db2", MigrationStep.MIGRATE))
    )


def test_a_before_that_fails_refuses_the_migration_when_nothing_of_it_is_left() -> None:
    failed = before(State.FAILED, State.SUCCEEDED)
    assert decide(PREPARED, failed) == EnsureDead(("db1", "db2"))
    assert decide(PREPARED, failed.updated(ObservedState(survivors={"db1": "", "db2": ""}))) == Verdict(
        MigrationOutcome.REFUSED, ("db1: before failed", "migrate ran nowhere")
    )
    assert decide(PREPARED, failed.updated(ObservedState(survivors={"db1": "17(stuck)", "db2": ""}))) == Verdict(
        MigrationOutcome.UNKNOWN, ("db1: before failed", "db1: 17(stuck)")
    )


def test_both_migrate_and_prepare_rollback_are_awaited_before_judging() -> None:
    plan = MigrationPlan(("db1",), frozenset(MigrationStep) - {MigrationStep.BEFORE})
    started = decide(plan, ObservedState())
    assert started == RunSteps(
        (HostStep("db1", MigrationStep.MIGRATE), HostStep("db1", MigrationStep.PREPARE_ROLLBACK))
    )
    failed = HostStep("db1", MigrationStep.MIGRATE), ObservedStep(StepStatus.FAILED)
    preparing = HostStep("db1", MigrationStep.PREPARE_ROLLBACK), ObservedStep(StepStatus.RUNNING)
    assert decide(plan, ObservedState(dict([failed, preparing]))) == RunSteps(
        (HostStep("db1", MigrationStep.PREPARE_ROLLBACK),)
    )


def test_a_verify_that_cannot_be_run_neither_completes_nor_rolls_back() -> None:
    plan = MigrationPlan(("db1",), frozenset(MigrationStep) - {MigrationStep.BEFORE})
    well = ObservedStep(StepStatus.SUCCEEDED)
    steps = {HostStep("db1", MigrationStep.MIGRATE): well, HostStep("db1", MigrationStep.PREPARE_ROLLBACK): well}
    verdict = decide(
        plan, ObservedState({**steps, HostStep("db1", MigrationStep.VERIFY): ObservedStep(StepStatus.NOT_RUN)})
    )
    assert isinstance(verdict, Verdict)
    assert verdict.outcome is MigrationOutcome.UNKNOWN


def test_a_verify_that_was_lost_is_not_run_again_and_nothing_is_rolled_back() -> None:
    plan = MigrationPlan(("db1",), frozenset({MigrationStep.MIGRATE, MigrationStep.VERIFY, MigrationStep.ROLLBACK}))
    steps = {
        HostStep("db1", MigrationStep.MIGRATE): seen(HostStep("db1", MigrationStep.MIGRATE), State.SUCCEEDED),
        HostStep("db1", MigrationStep.VERIFY): seen(HostStep("db1", MigrationStep.VERIFY), State.LOST),
    }
    for proven in ({}, {"db1": ""}):
        verdict = decide(plan, ObservedState(steps=steps, survivors=proven))
        assert isinstance(verdict, Verdict)
        assert verdict == Verdict(MigrationOutcome.UNKNOWN, ("db1: its state is unknown: verify lost",))


def test_a_rollback_that_began_is_gone_through_with_though_another_host_could_now_be_started() -> None:
    """db2 had no room to start anything, so db1 is rolled back; meanwhile there is room, and the run is retried."""
    well, rolling = ObservedStep(StepStatus.SUCCEEDED), ObservedStep(StepStatus.RUNNING)
    steps = {HostStep("db1", MigrationStep.MIGRATE): well, HostStep("db1", MigrationStep.ROLLBACK): rolling}
    plan = MigrationPlan(("db1", "db2"), frozenset({MigrationStep.MIGRATE, MigrationStep.ROLLBACK}))
    assert decide(plan, ObservedState(steps)) == RunSteps((HostStep("db1", MigrationStep.ROLLBACK),))


LATER = {MigrationStep.STOP, MigrationStep.VERIFY_STOP, MigrationStep.ROLLBACK}
STOPPED = MigrationPlan(("db1",), frozenset({MigrationStep.MIGRATE, *LATER}))


def stopping(**steps: State) -> ObservedState:
    found = {step: HostStep("db1", MigrationStep(step)) for step in ("migrate", *steps)}
    states = {"migrate": State.FAILED, **steps}
    return ObservedState({found[step]: seen(found[step], states[step]) for step in found}, survivors={"db1": ""})


def test_what_a_daemon_does_is_ended_before_the_rollback_and_its_check_alone_judges_that() -> None:
    assert decide(STOPPED, stopping()) == RunSteps((HostStep("db1", MigrationStep.STOP),))
    for stop in (State.SUCCEEDED, State.FAILED, State.LOST):
        assert decide(STOPPED, stopping(stop=stop)) == RunSteps((HostStep("db1", MigrationStep.VERIFY_STOP),))
        well = stopping(stop=stop, verify_stop=State.SUCCEEDED)
        assert decide(STOPPED, well) == RunSteps((HostStep("db1", MigrationStep.ROLLBACK),))
    verdict = decide(STOPPED, stopping(stop=State.SUCCEEDED, verify_stop=State.FAILED))
    assert isinstance(verdict, Verdict)
    assert verdict.outcome is MigrationOutcome.ROLLBACK_FAILED
    assert verdict.why[-1] == "db1: not rolled back, for verify_stop failed"


def test_without_a_check_stop_has_to_succeed() -> None:
    plan = MigrationPlan(("db1",), STOPPED.steps - {MigrationStep.VERIFY_STOP})
    assert decide(plan, stopping(stop=State.SUCCEEDED)) == RunSteps((HostStep("db1", MigrationStep.ROLLBACK),))
    verdict = decide(plan, stopping(stop=State.FAILED))
    assert isinstance(verdict, Verdict)
    assert verdict.why[-1] == "db1: not rolled back, for stop failed"


def test_what_stop_left_behind_is_proven_dead_before_anything_else() -> None:
    after = stopping().updated(ObservedState({HostStep("db1", MigrationStep.STOP): ObservedStep(StepStatus.LOST)}))
    assert decide(STOPPED, after) == EnsureDead(("db1",))


def test_nothing_is_migrated_once_stop_has_begun() -> None:
    """db2 had no room to start anything, so db1 is stopped; meanwhile there is room, and the run is retried."""
    plan = MigrationPlan(("db1", "db2"), STOPPED.steps)
    steps = {
        HostStep("db1", MigrationStep.MIGRATE): ObservedStep(StepStatus.SUCCEEDED),
        HostStep("db1", MigrationStep.STOP): ObservedStep(StepStatus.RUNNING),
    }
    assert decide(plan, ObservedState(steps, survivors={"db1": ""})) == RunSteps((HostStep("db1", MigrationStep.STOP),))


def test_what_postgresql_still_does_forbids_the_rollback_by_its_name() -> None:
    state = stopping().updated(ObservedState(survivors={"db1": "PostgreSQL is still at work: 17(active: UPDATE)"}))
    verdict = decide(STOPPED, state)
    assert isinstance(verdict, Verdict)
    assert verdict.why[-1] == "db1: not rolled back, for PostgreSQL is still at work: 17(active: UPDATE)"


def test_once_a_host_has_failed_nothing_begins_on_another() -> None:
    plan = MigrationPlan(("db1", "db2"), frozenset({MigrationStep.MIGRATE, MigrationStep.ROLLBACK}))
    assert decide(
        plan, ObservedState({HostStep("db1", MigrationStep.MIGRATE): ObservedStep(StepStatus.FAILED)})
    ) == EnsureDead(("db1",))
