"""What people read of a migration: short, and never more than was proven."""

from __future__ import annotations

from remotejobs.operations.migration.plan import Plan
from remotejobs.operations.migration.sight import Seen, Sight, Standing, Step


def describe(step: Step, seen: Seen) -> str:
    """`migrate failed, rc 3`."""
    record = seen.record
    if record is None:
        return f"{step} was not run" + (f" ({seen.reason})" if seen.reason else "")
    words = [f"{step} {record.state.replace('_', ' ')}", f"rc {record.rc}" if record.rc is not None else "", record.msg]
    return ", ".join(word for word in words if word)


def failures(plan: Plan, sight: Sight) -> tuple[str, ...]:
    """What went wrong, host by host, before anything was rolled back."""
    lines = []
    for host in plan.hosts:
        for step in (Step.MIGRATE, Step.VERIFY):
            seen = sight.seen(host, step)
            if seen.standing.ended and seen.standing is not Standing.WELL:
                lines.append(f"{host}: {describe(step, seen)}")
    return tuple(lines)


def unknowable(sight: Sight, host: str) -> str:
    steps = (Step.VERIFY_ROLLBACK, Step.ROLLBACK, Step.VERIFY, Step.MIGRATE)
    last = next(step for step in steps if sight.at(host, step).ended)
    return f"{host}: nobody knows how it stands: {describe(last, sight.seen(host, last))}"


def success(plan: Plan) -> str:
    hosts = ", ".join(plan.hosts)
    if Step.VERIFY in plan.steps:
        return f"Migrated and verified on {hosts}"
    return f"migrate ended with 0 on {hosts}; there is no verify, so nothing more is known"


def rollback_success(plan: Plan, hosts: tuple[str, ...]) -> str:
    names = ", ".join(hosts)
    if Step.VERIFY_ROLLBACK in plan.steps:
        return f"Rolled back and verified on {names}"
    return f"rollback ended with 0 on {names}; there is no verify_rollback, so nothing more is known"
