"""What to do next, from nothing but what the hosts say: so a controller that died is replaced by any other.

Pure. Carrying out the action that comes back, and deciding again on what is seen then, ends in a `Verdict`.
"""

from __future__ import annotations

from remotejobs.operations.migration.actions import Action, Prove, Run
from remotejobs.operations.migration.judge import Judgement, is_unproven_loss, judge_migration
from remotejobs.operations.migration.plan import Plan
from remotejobs.operations.migration.rollback import roll_back
from remotejobs.operations.migration.sight import Place, Sight, Standing, Step
from remotejobs.operations.migration.verdict import Outcome, Verdict
from remotejobs.operations.migration.words import success, unknowable


def decide(plan: Plan, sight: Sight) -> Action:
    """The next action. A rollback that began anywhere is gone through with; an unreachable host ends everything."""
    if sight.unreachable:
        return Verdict(Outcome.UNKNOWN, tuple(f"{host}: {error}" for host, error in sight.unreachable.items()))
    if any(sight.at(host, Step.ROLLBACK).begun for host in plan.hosts):
        return roll_back(plan, sight)
    for batch in plan.batches:
        action = _go_forward(plan, sight, batch)
        if action is not None:
            return action
    return Verdict(Outcome.COMPLETED, (success(plan),))


def _go_forward(plan: Plan, sight: Sight, batch: tuple[str, ...]) -> Action | None:
    """What is left to do for the hosts of a batch; None when all of them are well."""
    judged = {host: judge_migration(plan, sight, host) for host in batch}
    failed = Judgement.BAD in judged.values()
    unended = _unended(plan, sight, batch, failed=failed)
    if unended:
        return Run(unended)
    if failed:
        return roll_back(plan, sight)
    lost = tuple(host for host in batch if is_unproven_loss(sight, host, Step.MIGRATE, Step.VERIFY))
    if lost:
        return Prove(lost)
    to_verify = tuple(Place(host, Step.VERIFY) for host in batch if judged[host] is Judgement.OPEN)
    if to_verify:
        return Run(to_verify)
    if Judgement.UNKNOWABLE in judged.values():
        unknown = [host for host in batch if judged[host] is Judgement.UNKNOWABLE]
        return Verdict(Outcome.UNKNOWN, tuple(unknowable(sight, host) for host in unknown))
    return None


def _unended(plan: Plan, sight: Sight, batch: tuple[str, ...], *, failed: bool) -> tuple[Place, ...]:
    """The steps to wait for before judging. After a failure nothing begins on a host that nothing has run on."""
    places: list[Place] = []
    for host in batch:
        begun = sight.at(host, Step.MIGRATE).begun
        for step in (Step.MIGRATE, Step.PREPARE_ROLLBACK, Step.VERIFY):
            standing = sight.at(host, step)
            due = step is not Step.VERIFY and (begun or not failed)
            if step in plan.steps and not standing.ended and (due or standing is Standing.RUNNING):
                places.append(Place(host, step))
    return tuple(places)
