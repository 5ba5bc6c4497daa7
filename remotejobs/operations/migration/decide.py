"""What to do next, from nothing but what the hosts say: so a controller that died is replaced by any other.

Pure. Carrying out the action that comes back, and deciding again on what is seen then, ends in a `Verdict`.
"""

from __future__ import annotations

from remotejobs.operations.migration.actions import Action, EnsureDead, MigrationOutcome, RunSteps, Verdict
from remotejobs.operations.migration.judge import Judgement, is_unproven_loss, judge_migration
from remotejobs.operations.migration.observed import HostStep, MigrationStep, ObservedState, StepStatus
from remotejobs.operations.migration.plan import MigrationPlan
from remotejobs.operations.migration.rollback import ROLLING_BACK, roll_back
from remotejobs.operations.migration.words import success, unknowable


def decide(plan: MigrationPlan, observed: ObservedState) -> Action:
    """The next action. A rollback that began anywhere is gone through with; an unreachable host ends everything."""
    if observed.unreachable:
        return Verdict(
            MigrationOutcome.UNKNOWN, tuple(f"{host}: {error}" for host, error in observed.unreachable.items())
        )
    if any(observed.at(host, step).started for host in plan.hosts for step in ROLLING_BACK):
        return roll_back(plan, observed)
    for batch in plan.batches:
        action = _go_forward(plan, observed, batch)
        if action is not None:
            return action
    return Verdict(MigrationOutcome.COMPLETED, (success(plan),))


def _go_forward(plan: MigrationPlan, observed: ObservedState, batch: tuple[str, ...]) -> Action | None:
    """What is left to do for the hosts of a batch; None when all of them are well."""
    judged = {host: judge_migration(plan, observed, host) for host in batch}
    failed = Judgement.BAD in judged.values()
    unended = _unended_before(plan, observed, batch, failed=failed) or _unended(plan, observed, batch, failed=failed)
    if unended:
        return RunSteps(unended)
    if failed:
        return roll_back(plan, observed)
    lost = tuple(
        host for host in batch if is_unproven_loss(observed, host, MigrationStep.MIGRATE, MigrationStep.VERIFY)
    )
    if lost:
        return EnsureDead(lost)
    to_verify = tuple(HostStep(host, MigrationStep.VERIFY) for host in batch if judged[host] is Judgement.OPEN)
    if to_verify:
        return RunSteps(to_verify)
    if Judgement.UNKNOWABLE in judged.values():
        unknown = [host for host in batch if judged[host] is Judgement.UNKNOWABLE]
        return Verdict(MigrationOutcome.UNKNOWN, tuple(unknowable(observed, host) for host in unknown))
    return None


def _unended_before(
    plan: MigrationPlan, observed: ObservedState, batch: tuple[str, ...], *, failed: bool
) -> tuple[HostStep, ...]:
    """What to wait for before anything is migrated. After a failure it begins nowhere else."""
    statuses = {host: observed.at(host, MigrationStep.BEFORE) for host in batch if MigrationStep.BEFORE in plan.steps}
    return tuple(
        HostStep(host, MigrationStep.BEFORE)
        for host, status in statuses.items()
        if not status.ended and (not failed or status is StepStatus.RUNNING)
    )


def _unended(
    plan: MigrationPlan, observed: ObservedState, batch: tuple[str, ...], *, failed: bool
) -> tuple[HostStep, ...]:
    """The steps to wait for before judging. After a failure nothing begins on a host that nothing has run on."""
    host_steps: list[HostStep] = []
    for host in batch:
        started = observed.at(host, MigrationStep.MIGRATE).started
        for step in (MigrationStep.MIGRATE, MigrationStep.PREPARE_ROLLBACK, MigrationStep.VERIFY):
            status = observed.at(host, step)
            due = step is not MigrationStep.VERIFY and (started or not failed)
            if step in plan.steps and not status.ended and (due or status is StepStatus.RUNNING):
                host_steps.append(HostStep(host, step))
    return tuple(host_steps)
