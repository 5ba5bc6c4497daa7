"""The flow run that carries out a migration: which one it is, what it asks a person, and the state that it ends in."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State as RunState
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from remotejobs.errors import UsageError
from remotejobs.model import State
from remotejobs.operations.migration import (
    MigrationOutcome,
    MigrationReport,
    MigrationStep,
    ObservedState,
    Verdict,
    decide,
    markdown,
)
from remotejobs.operations.migration.beyond import beyond_proof
from remotejobs.operations.migration.rollback import ROLLING_BACK
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import host_names
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.migration.migration import Migration, Preflight
from remotejobs.prefect.tasks.notify import NOBODY, NOTHING_RAN_AGAIN, Notify, send_notification
from remotejobs.text import in_markdown, indented, span, visible

_BECAUSE_OF_A_LOCK = "Refused because of a lock"  # as in deployments/resources.yml
_LOCK_POLL = 5.0  # seconds
_PREFLIGHT_CONTACT_TIMEOUT = 0.0  # seconds: nothing has started, so there is nothing to wait for


def select(access: Access, pattern: str) -> tuple[tuple[str, ...], Verdict | None]:
    """The hosts that `pattern` means, or the verdict when it means none."""
    try:
        return host_names(access, pattern), None
    except UsageError as exc:
        return (), unknown(str(exc)) if _begins_anew() else refused(str(exc))


def jids_of_this_run() -> Mapping[MigrationStep, str]:
    """The jid of each step: on every host the same, and the same for a retried run."""
    return {step: jid_for(step) for step in MigrationStep}


def find(migration: Migration) -> tuple[Migration, Preflight]:
    """Find out where the migration stands.

    A run that begins anew waits for unreachable hosts, and keeps to its first hosts.
    """
    contact_timeout = migration.contact_timeout if _begins_anew() else _PREFLIGHT_CONTACT_TIMEOUT
    preflight = migration.check(contact_timeout=contact_timeout)
    if set(preflight.hosts) != set(migration.plan.hosts):
        migration = migration.on(preflight.hosts)
        preflight = migration.check(contact_timeout=contact_timeout)
    return migration, preflight


def await_locks(migration: Migration, preflight: Preflight, *, within: float) -> tuple[Migration, Preflight]:
    """Wait until no other run holds a host, at most `within` seconds, and look anew; not once this run has started."""
    until = time.monotonic() + within
    while preflight.locked and not may_have_begun(preflight) and (left := until - time.monotonic()) > 0:
        get_run_logger().info("waiting for the lock of another migration on %s", ", ".join(preflight.locked))
        time.sleep(min(_LOCK_POLL, left))
        migration, preflight = find(migration)
    return migration, preflight


def may_have_begun(preflight: Preflight) -> bool:
    """Whether any step has run, for all that is known."""
    return preflight.observed.started or bool(_begins_anew() and preflight.observed.unreachable)


def end_of_before(migration: Migration, preflight: Preflight) -> Verdict | None:
    """The end that this run reported before it was retried, with what to do; None when there is something to do."""
    verdict = decide(migration.plan, preflight.observed)
    if (
        not isinstance(verdict, Verdict)
        or verdict.outcome is MigrationOutcome.COMPLETED
        or preflight.observed.unreachable
        or not _has_reported()
    ):
        return None
    ends = [seen.record.end for seen in preflight.observed.steps.values() if seen.record and seen.record.end]
    when = f" of {max(ends)}" if ends else ""
    how = "Copy to new run" if verdict.outcome.settled else "release its locks first, then Copy to new run"
    first = f"{NOTHING_RAN_AGAIN}; this is the end{when}. To run it again: {how}"
    get_run_logger().info("%s", first)
    return Verdict(verdict.outcome, (first, *verdict.why))


def _has_reported() -> bool:
    """Whether this run has ended before with an outcome: one whose controller died has not."""
    if not _begins_anew():
        return False
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(UUID(str(flow_run.id)))
    return any(state.name in set(MigrationOutcome) for state in states)


def question(migration: Migration, saved: Sequence[str] = ()) -> str:
    """What a person is asked to approve, in markdown: what will run where. `saved` is what is backed up first."""
    plan, access = migration.plan, migration.access
    how = "one by one" if plan.one_by_one else "together"
    where = f"On **{in_markdown(', '.join(plan.hosts))}**" + (f", {how}" if len(plan.hosts) > 1 else "")
    user = f", as {in_markdown(access.become_user or 'root')}" if access.become else ""
    absent = [
        step
        for step in (MigrationStep.VERIFY, MigrationStep.ROLLBACK, MigrationStep.VERIFY_ROLLBACK)
        if step not in plan.steps
    ]
    parts = [
        *([f"Backed up first: {in_markdown(', '.join(saved))}"] if saved else []),
        f"{where}{user}, of the inventory {in_markdown(access.where)}:",
        *_surroundings(migration),
        *(_asked(step, migration) for step in MigrationStep if step in plan.steps),
        *([f"There is no {in_markdown(', no '.join(absent))}."] if absent else []),
    ]
    return "\n\n".join(parts)


def _surroundings(migration: Migration) -> list[str]:
    """Where and with what each command runs, and what becomes of statements that it leaves in PostgreSQL."""
    commands, postgres = migration.commands, migration.postgres
    lines = [f"Each in {in_markdown(commands.chdir)}."] if commands.chdir else []
    if commands.env:
        lines.append(f"Each with {in_markdown(', '.join(f'{name}={value}' for name, value in commands.env.items()))}.")
    if postgres and postgres.left == "terminate":
        lines.append("Before a rollback, what PostgreSQL still does for it is terminated.")
    return lines


def _asked(step: MigrationStep, migration: Migration) -> str:
    when = " if a host fails" if step in (*ROLLING_BACK, MigrationStep.VERIFY_ROLLBACK) else ""
    longest = span(migration.timeouts.of(step))
    return f"{in_markdown(step)}{when}, for at most {longest}:\n\n{indented(migration.commands.of(step))}"


def notify_of_lock(whom: Notify, state: RunState[Any]) -> RunState[Any]:
    """Notify, once, of a run that `state` says was refused because of a lock; returns the state."""
    if (state.message or "").startswith(_BECAUSE_OF_A_LOCK) and whom != NOBODY and not _has_reported():
        send_notification(whom, MigrationOutcome.REFUSED, state.message or "")
    return state


def refused_for(preflight: Preflight, *why: str) -> Verdict:
    """As `refused`; because of a lock in words by which the automation that notifies of it knows it."""
    return refused(*([_BECAUSE_OF_A_LOCK] if preflight.locked else []), *why)


def refused(*why: str) -> Verdict:
    return Verdict(MigrationOutcome.REFUSED, (*why, "Nothing was changed"))


def unknown(*why: str) -> Verdict:
    return Verdict(MigrationOutcome.UNKNOWN, why)


def conclude(migration: Migration, verdict: Verdict, preflight: Preflight) -> RunState[Any]:
    """Unlock the hosts if they are settled, write the report, and give the flow run its last state."""
    verdict = _with_limits(migration, verdict, preflight.observed)
    locks = migration.unlock(preflight.locks) if verdict.outcome.settled else preflight.locks
    report = MigrationReport(migration.plan, verdict, preflight.observed, migration.jids, migration.options, locks)
    create_markdown_artifact(key="migration", markdown=markdown(report), description=verdict.outcome)
    get_run_logger().info("%s: %s", verdict.outcome, verdict.message)
    return state_of(verdict)


def _with_limits(migration: Migration, verdict: Verdict, observed: ObservedState) -> Verdict:
    """The verdict of a rollback, with what no proof that the migration is dead could cover."""
    if verdict.outcome not in (MigrationOutcome.ROLLED_BACK, MigrationOutcome.ROLLBACK_FAILED):
        return verdict
    records = [seen.record for seen in observed.steps.values() if seen.record]
    killed = any(record.state not in (State.SUCCEEDED, State.FAILED) for record in records)
    commands = [migration.commands.of(step) for step in (MigrationStep.MIGRATE, MigrationStep.VERIFY)]
    stopped = MigrationStep.VERIFY_STOP in migration.plan.steps and verdict.outcome is MigrationOutcome.ROLLED_BACK
    limits = beyond_proof(
        [*commands, *(record.processes for record in records)],
        killed=killed,
        stopped=stopped,
        postgres=migration.postgres is not None,
    )
    lines = [f"The proof that migrate is dead does not cover {'; '.join(limits)}"] if limits else []
    if migration.postgres and verdict.outcome is MigrationOutcome.ROLLED_BACK:
        lines.append("Before the rollback PostgreSQL had no backend of the migration left")
    return replace(verdict, why=(*verdict.why, *lines))


def state_of(verdict: Verdict) -> RunState[Any]:
    """`Refused` is a kind of Cancelled: nothing was done, so it neither succeeded nor failed."""
    message = visible(verdict.message)
    match verdict.outcome:
        case MigrationOutcome.COMPLETED:
            return Completed(message=message)
        case MigrationOutcome.REFUSED:
            return Cancelled(name=verdict.outcome, message=message)
        case _:
            return Failed(name=verdict.outcome, message=message)


def _begins_anew() -> bool:
    return int(flow_run.run_count) > 1
