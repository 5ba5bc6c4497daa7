"""What to do next when a migration failed, or its rollback has begun."""

from __future__ import annotations

from collections.abc import Mapping

from remotejobs.operations.migration.actions import Action, Prove, Run
from remotejobs.operations.migration.judge import Judgement, is_unproven_loss, judge_rollback, rolled, withheld
from remotejobs.operations.migration.plan import Plan
from remotejobs.operations.migration.sight import Place, Sight, Standing, Step
from remotejobs.operations.migration.verdict import Outcome, Verdict
from remotejobs.operations.migration.words import describe, failures, rollback_success, unknowable


def roll_back(plan: Plan, sight: Sight) -> Action:
    """Everything dead first, then host by host, the last one first. No host is spared for another one's failure."""
    hosts = tuple(host for host in reversed(plan.hosts) if sight.at(host, Step.MIGRATE).begun)
    unproven = tuple(host for host in hosts if not rolled(sight, host) and host not in sight.survivors)
    if unproven:
        return Prove(unproven)
    lost = tuple(host for host in hosts if is_unproven_loss(sight, host, Step.ROLLBACK, Step.VERIFY_ROLLBACK))
    if lost:
        return Prove(lost)
    judged = {host: judge_rollback(plan, sight, host) for host in hosts}
    for host in hosts:
        if judged[host] is Judgement.OPEN:
            ended = sight.at(host, Step.ROLLBACK).ended
            return Run((Place(host, Step.VERIFY_ROLLBACK if ended else Step.ROLLBACK),))
    return _rollback_verdict(plan, sight, judged)


def _rollback_verdict(plan: Plan, sight: Sight, judged: Mapping[str, Judgement]) -> Verdict:
    why = failures(plan, sight)
    if not judged:
        return Verdict(Outcome.REFUSED, (*why, "migrate ran nowhere"))
    if Judgement.UNKNOWABLE in judged.values():
        unknown = [host for host, judgement in judged.items() if judgement is Judgement.UNKNOWABLE]
        return Verdict(Outcome.UNKNOWN, (*why, *(unknowable(sight, host) for host in unknown)))
    if Judgement.BAD in judged.values():
        failed = [host for host, judgement in judged.items() if judgement is Judgement.BAD]
        return Verdict(Outcome.ROLLBACK_FAILED, (*why, *(_describe_rollback(plan, sight, host) for host in failed)))
    return Verdict(Outcome.ROLLED_BACK, (*why, rollback_success(plan, tuple(judged))))


def _describe_rollback(plan: Plan, sight: Sight, host: str) -> str:
    if not rolled(sight, host):
        return f"{host}: {withheld(plan, sight, host)}"
    checked = sight.at(host, Step.VERIFY_ROLLBACK) is Standing.BADLY
    step = Step.VERIFY_ROLLBACK if checked else Step.ROLLBACK
    return f"{host}: {describe(step, sight.seen(host, step))}"
