"""Whether a host is migrated, or rolled back, by what is seen there: yes, no, not over, or unknowable."""

from __future__ import annotations

from enum import Enum, auto

from remotejobs.operations.migration.observed import MigrationStep, ObservedState, StepStatus
from remotejobs.operations.migration.plan import MigrationPlan
from remotejobs.operations.migration.words import describe


class Judgement(Enum):
    OPEN = auto()
    GOOD = auto()
    BAD = auto()
    UNKNOWABLE = auto()


def judge_migration(plan: MigrationPlan, observed: ObservedState, host: str) -> Judgement:
    """Success is rc 0 of migrate and of verify. One that was lost may have succeeded: verify judges it alone."""
    before = observed.at(host, MigrationStep.BEFORE)
    if before.ended and before is not StepStatus.SUCCEEDED:
        return Judgement.BAD
    return _judge_step(plan, observed, host, MigrationStep.MIGRATE, check=MigrationStep.VERIFY)


def judge_rollback(plan: MigrationPlan, observed: ObservedState, host: str) -> Judgement:
    if not rolled(observed, host):
        return Judgement.BAD if withheld(plan, observed, host) else Judgement.OPEN
    return _judge_step(plan, observed, host, MigrationStep.ROLLBACK, check=MigrationStep.VERIFY_ROLLBACK)


def _judge_step(
    plan: MigrationPlan, observed: ObservedState, host: str, step: MigrationStep, *, check: MigrationStep
) -> Judgement:
    match observed.at(host, step):
        case StepStatus.FAILED | StepStatus.NOT_RUN:
            return Judgement.BAD
        case StepStatus.SUCCEEDED:
            return _judge_check(plan, observed, host, check, unchecked=Judgement.GOOD)
        case StepStatus.LOST if observed.survivors.get(host):
            return Judgement.BAD
        case StepStatus.LOST:
            return _judge_check(plan, observed, host, check, unchecked=Judgement.UNKNOWABLE)
        case _:
            return Judgement.OPEN


def _judge_check(
    plan: MigrationPlan, observed: ObservedState, host: str, step: MigrationStep, *, unchecked: Judgement
) -> Judgement:
    if step not in plan.steps:
        return unchecked
    match observed.at(host, step):
        case StepStatus.SUCCEEDED:
            return Judgement.GOOD
        case StepStatus.FAILED:
            return Judgement.BAD
        case StepStatus.LOST | StepStatus.NOT_RUN:
            return Judgement.UNKNOWABLE
        case _:
            return Judgement.OPEN


def is_unproven_loss(observed: ObservedState, host: str, step: MigrationStep, check: MigrationStep) -> bool:
    """Nobody watches a lost step any more, but it may still run, and must not while it is checked."""
    unchecked = observed.at(host, check) is StepStatus.ABSENT
    return observed.at(host, step) is StepStatus.LOST and unchecked and host not in observed.survivors


def rolled(observed: ObservedState, host: str) -> bool:
    """Whether the host's rollback was tried, and so everything before it was proven dead."""
    return observed.at(host, MigrationStep.ROLLBACK) is not StepStatus.ABSENT


def withheld(plan: MigrationPlan, observed: ObservedState, host: str) -> str:
    """Why the host cannot be rolled back; "" when it can."""
    if survivors := observed.survivors.get(host, ""):
        return f"not rolled back, for {survivors}"
    if MigrationStep.ROLLBACK not in plan.steps:
        return "not rolled back, for no rollback command was given"
    prepared = observed.at(host, MigrationStep.PREPARE_ROLLBACK)
    if MigrationStep.PREPARE_ROLLBACK in plan.steps and prepared is not StepStatus.SUCCEEDED:
        step = MigrationStep.PREPARE_ROLLBACK
        return f"not rolled back, for {describe(step, observed.seen(host, step))}"
    if at_work := _not_stopped(plan, observed, host):
        return f"not rolled back, for {describe(at_work, observed.seen(host, at_work))}"
    return ""


def open_stop(plan: MigrationPlan, observed: ObservedState, host: str) -> MigrationStep | None:
    """Which step is to be run before the rollback, so that no daemon is at work; None: both have ended, or are not."""
    for step in (MigrationStep.STOP, MigrationStep.VERIFY_STOP):
        if step in plan.steps and not observed.at(host, step).ended:
            return step
    return None


def _not_stopped(plan: MigrationPlan, observed: ObservedState, host: str) -> MigrationStep | None:
    """The step that could not say that no daemon is at work. Where there is a check, it alone says."""
    step = MigrationStep.VERIFY_STOP if MigrationStep.VERIFY_STOP in plan.steps else MigrationStep.STOP
    status = observed.at(host, step)
    return step if step in plan.steps and status.ended and status is not StepStatus.SUCCEEDED else None
