"""What people read of a migration: short, and never more than was proven."""

from __future__ import annotations

from remotejobs.operations.migration.observed import MigrationStep, ObservedState, ObservedStep, StepStatus
from remotejobs.operations.migration.plan import MigrationPlan


def describe(step: MigrationStep, seen: ObservedStep) -> str:
    """`migrate failed, rc 3`."""
    record = seen.record
    if record is None:
        return f"{step} was not run" + (f" ({seen.reason})" if seen.reason else "")
    words = [f"{step} {record.state.replace('_', ' ')}", _rc(record.rc), record.msg]
    return ", ".join(word for word in words if word)


def _rc(rc: int | None) -> str:
    """`rc 127` with what a shell means by it."""
    meaning = {126: " (a command could not be executed)", 127: " (a command was not found)"}.get(rc or 0, "")
    return "" if rc is None else f"rc {rc}{meaning}"


def data_known(plan: MigrationPlan, observed: ObservedState) -> tuple[str, ...]:
    """What is known of the data on each host where migrate ran and nothing was seen to undo it."""
    lines = []
    for host in plan.hosts:
        if not observed.at(host, MigrationStep.MIGRATE).started:
            continue
        migrated = describe(MigrationStep.MIGRATE, observed.seen(host, MigrationStep.MIGRATE))
        rollback, check = (
            observed.seen(host, MigrationStep.ROLLBACK),
            observed.seen(host, MigrationStep.VERIFY_ROLLBACK),
        )
        if check.status is StepStatus.FAILED:
            lines.append(f"{host}: not as before, says {describe(MigrationStep.VERIFY_ROLLBACK, check)}")
        elif rollback.status in (StepStatus.ABSENT, StepStatus.NOT_RUN):
            lines.append(f"{host}: {migrated}, and nothing was run to undo it; what it changed is not known")
        elif rollback.status is not StepStatus.SUCCEEDED:
            undone = describe(MigrationStep.ROLLBACK, rollback)
            lines.append(f"{host}: {migrated}, and {undone}; how far each came is not known")
    return tuple(lines)


def failures(plan: MigrationPlan, observed: ObservedState) -> tuple[str, ...]:
    """What went wrong, host by host, before anything was rolled back."""
    lines = []
    for host in plan.hosts:
        for step in (MigrationStep.BEFORE, MigrationStep.MIGRATE, MigrationStep.VERIFY):
            seen = observed.seen(host, step)
            if seen.status.ended and seen.status is not StepStatus.SUCCEEDED:
                lines.append(f"{host}: {describe(step, seen)}")
    return tuple(lines)


def unknowable(observed: ObservedState, host: str) -> str:
    steps = (MigrationStep.VERIFY_ROLLBACK, MigrationStep.ROLLBACK, MigrationStep.VERIFY, MigrationStep.MIGRATE)
    last = next(step for step in steps if observed.at(host, step).ended)
    return f"{host}: its state is unknown: {describe(last, observed.seen(host, last))}"


def success(plan: MigrationPlan) -> str:
    hosts = ", ".join(plan.hosts)
    if MigrationStep.VERIFY in plan.steps:
        return f"Migrated and verified on {hosts}"
    return f"migrate ended with 0 on {hosts}; there is no verify, so nothing more is known"


def rollback_success(plan: MigrationPlan, hosts: tuple[str, ...]) -> str:
    names = ", ".join(hosts)
    if MigrationStep.VERIFY_ROLLBACK in plan.steps:
        return f"Rolled back and verified on {names}"
    return f"rollback ended with 0 on {names}; there is no verify_rollback, so nothing more is known"
