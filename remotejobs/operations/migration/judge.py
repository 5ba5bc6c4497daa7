"""Whether a host is migrated, or rolled back, by what is seen there: yes, no, not over, or nobody can know."""

from __future__ import annotations

from enum import Enum, auto

from remotejobs.operations.migration.plan import Plan
from remotejobs.operations.migration.sight import Sight, Standing, Step
from remotejobs.operations.migration.words import describe


class Judgement(Enum):
    OPEN = auto()
    GOOD = auto()
    BAD = auto()
    UNKNOWABLE = auto()


def judge_migration(plan: Plan, sight: Sight, host: str) -> Judgement:
    """Success is rc 0 of migrate and of verify. One that was lost may have succeeded: verify judges it alone."""
    return _judge_step(plan, sight, host, Step.MIGRATE, check=Step.VERIFY)


def judge_rollback(plan: Plan, sight: Sight, host: str) -> Judgement:
    if not rolled(sight, host):
        return Judgement.BAD if withheld(plan, sight, host) else Judgement.OPEN
    return _judge_step(plan, sight, host, Step.ROLLBACK, check=Step.VERIFY_ROLLBACK)


def _judge_step(plan: Plan, sight: Sight, host: str, step: Step, *, check: Step) -> Judgement:
    match sight.at(host, step):
        case Standing.BADLY | Standing.NOT_RUN:
            return Judgement.BAD
        case Standing.WELL:
            return _judge_check(plan, sight, host, check, unchecked=Judgement.GOOD)
        case Standing.LOST if sight.survivors.get(host):
            return Judgement.BAD
        case Standing.LOST:
            return _judge_check(plan, sight, host, check, unchecked=Judgement.UNKNOWABLE)
        case _:
            return Judgement.OPEN


def _judge_check(plan: Plan, sight: Sight, host: str, step: Step, *, unchecked: Judgement) -> Judgement:
    if step not in plan.steps:
        return unchecked
    match sight.at(host, step):
        case Standing.WELL:
            return Judgement.GOOD
        case Standing.BADLY:
            return Judgement.BAD
        case Standing.LOST | Standing.NOT_RUN:
            return Judgement.UNKNOWABLE
        case _:
            return Judgement.OPEN


def is_unproven_loss(sight: Sight, host: str, step: Step, check: Step) -> bool:
    """Nobody watches a lost step any more, but it may still run, and must not while it is checked."""
    unchecked = sight.at(host, check) is Standing.ABSENT
    return sight.at(host, step) is Standing.LOST and unchecked and host not in sight.survivors


def rolled(sight: Sight, host: str) -> bool:
    """Whether the host's rollback was tried, and so everything before it was proven dead."""
    return sight.at(host, Step.ROLLBACK) is not Standing.ABSENT


def withheld(plan: Plan, sight: Sight, host: str) -> str:
    """Why the host cannot be rolled back; "" when it can."""
    if survivors := sight.survivors.get(host, ""):
        return f"not rolled back, for processes of the migration survived KILL: {survivors}"
    if Step.ROLLBACK not in plan.steps:
        return "not rolled back, for no rollback command was given"
    prepared = sight.at(host, Step.PREPARE_ROLLBACK)
    if Step.PREPARE_ROLLBACK in plan.steps and prepared is not Standing.WELL:
        return f"not rolled back, for {describe(Step.PREPARE_ROLLBACK, sight.seen(host, Step.PREPARE_ROLLBACK))}"
    return ""
