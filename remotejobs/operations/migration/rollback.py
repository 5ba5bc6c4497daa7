"""What to do next when a migration failed, or its rollback has started."""

from __future__ import annotations

from collections.abc import Mapping

from remotejobs.operations.migration.actions import Action, EnsureDead, MigrationOutcome, RunSteps, Verdict
from remotejobs.operations.migration.judge import (
    Judgement,
    is_unproven_loss,
    judge_rollback,
    open_stop,
    rolled,
    withheld,
)
from remotejobs.operations.migration.observed import HostStep, MigrationStep, ObservedState, StepStatus
from remotejobs.operations.migration.plan import MigrationPlan
from remotejobs.operations.migration.words import describe, failures, rollback_success, unknowable

# Once one of these has started, the migration goes back, whatever else could be done.
ROLLING_BACK = (MigrationStep.STOP, MigrationStep.VERIFY_STOP, MigrationStep.ROLLBACK)


def roll_back(plan: MigrationPlan, observed: ObservedState) -> Action:
    """Everything dead first, then host by host, the last one first. No host is spared for another one's failure."""
    hosts = tuple(host for host in reversed(plan.hosts) if observed.at(host, MigrationStep.MIGRATE).started)
    prepared = tuple(
        host for host in plan.hosts if host not in hosts and observed.at(host, MigrationStep.BEFORE).started
    )
    unproven = tuple(
        host for host in (*hosts, *prepared) if not rolled(observed, host) and host not in observed.survivors
    )
    if unproven:
        return EnsureDead(unproven)
    lost = tuple(
        host
        for host in hosts
        if is_unproven_loss(observed, host, MigrationStep.ROLLBACK, MigrationStep.VERIFY_ROLLBACK)
    )
    if lost:
        return EnsureDead(lost)
    judged = {host: judge_rollback(plan, observed, host) for host in hosts}
    for host in hosts:
        if judged[host] is Judgement.OPEN:
            return RunSteps((HostStep(host, _next_step(plan, observed, host)),))
    return _rollback_verdict(plan, observed, judged)


def _next_step(plan: MigrationPlan, observed: ObservedState, host: str) -> MigrationStep:
    if observed.at(host, MigrationStep.ROLLBACK).ended:
        return MigrationStep.VERIFY_ROLLBACK
    stop = None if rolled(observed, host) else open_stop(plan, observed, host)
    return stop or MigrationStep.ROLLBACK


def _rollback_verdict(plan: MigrationPlan, observed: ObservedState, judged: Mapping[str, Judgement]) -> Verdict:
    why = failures(plan, observed)
    alive = tuple(
        f"{host}: {survivors}" for host, survivors in observed.survivors.items() if survivors and host not in judged
    )
    if alive and Judgement.BAD not in judged.values():
        return Verdict(MigrationOutcome.UNKNOWN, (*why, *alive))
    if not judged:
        return Verdict(MigrationOutcome.REFUSED, (*why, "migrate ran nowhere"))
    if Judgement.UNKNOWABLE in judged.values():
        unknown = [host for host, judgement in judged.items() if judgement is Judgement.UNKNOWABLE]
        return Verdict(MigrationOutcome.UNKNOWN, (*why, *(unknowable(observed, host) for host in unknown)))
    if Judgement.BAD in judged.values():
        failed = [host for host, judgement in judged.items() if judgement is Judgement.BAD]
        return Verdict(
            MigrationOutcome.ROLLBACK_FAILED, (*why, *(_describe_rollback(plan, observed, host) for host in failed))
        )
    return Verdict(MigrationOutcome.ROLLED_BACK, (*why, rollback_success(plan, tuple(judged))))


def _describe_rollback(plan: MigrationPlan, observed: ObservedState, host: str) -> str:
    if not rolled(observed, host):
        return f"{host}: {withheld(plan, observed, host)}"
    checked = observed.at(host, MigrationStep.VERIFY_ROLLBACK) is StepStatus.FAILED
    step = MigrationStep.VERIFY_ROLLBACK if checked else MigrationStep.ROLLBACK
    return f"{host}: {describe(step, observed.seen(host, step))}"
