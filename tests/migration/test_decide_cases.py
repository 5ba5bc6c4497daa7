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


def test_both_migrate_and_prepare_rollback_are_awaited_before_judging() -> None:
    plan = MigrationPlan(("db1",), frozenset(MigrationStep))
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
    plan = MigrationPlan(("db1",), frozenset(MigrationStep))
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


def test_once_a_host_has_failed_nothing_begins_on_another() -> None:
    plan = MigrationPlan(("db1", "db2"), frozenset({MigrationStep.MIGRATE, MigrationStep.ROLLBACK}))
    assert decide(
        plan, ObservedState({HostStep("db1", MigrationStep.MIGRATE): ObservedStep(StepStatus.FAILED)})
    ) == EnsureDead(("db1",))
