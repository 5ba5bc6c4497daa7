"""Change data on one or many hosts, and never claim more than was proven: lock, back up, migrate, verify, roll back."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from prefect.client.schemas.objects import State as RunState
from prefect.runtime import flow_run
from pydantic import Field

from remotejobs.operations.backup import BackupPlan
from remotejobs.operations.migration import Commands, FreeSpace, MigrationPlan, Order, PostgresProof, Timeouts
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.approval import NOT_NEEDED, Approval, ask
from remotejobs.prefect.tasks.backups import steps_of
from remotejobs.prefect.tasks.dry_run import dry_run_state
from remotejobs.prefect.tasks.flow import HostPattern, remote_flow
from remotejobs.prefect.tasks.jobs.results import RUN_WARNING
from remotejobs.prefect.tasks.limits import fork_slots, group_slots
from remotejobs.prefect.tasks.migration.cancel import call_off
from remotejobs.prefect.tasks.migration.migration import Migration, Preflight
from remotejobs.prefect.tasks.migration.run import (
    await_locks,
    conclude,
    end_of_before,
    find,
    jids_of_this_run,
    may_have_begun,
    notify_of_lock,
    question,
    refused,
    refused_for,
    select,
    state_of,
    unknown,
)
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.prefect.tasks.planned import migration_of
from remotejobs.prefect.tasks.runs.options import OnCancel

AN_HOUR = Timeouts()
SOME_SPACE = FreeSpace()
OLD_NAMES = {"limits": "timeouts", "room": "free_space", "contact_deadline": "contact_timeout"}


@remote_flow("migration", run_name="migration of {hosts}", on_cancellation=call_off, renamed=OLD_NAMES)
def migration(
    access: Access,
    hosts: HostPattern,
    commands: Commands,
    timeouts: Timeouts = AN_HOUR,
    order: Order = "together",
    approval: Approval = NOT_NEEDED,
    backup_first: BackupPlan | None = None,
    free_space: FreeSpace = SOME_SPACE,
    check_commands: bool = True,
    may_leave_running: bool = False,
    postgres: PostgresProof | None = None,
    wait_for_lock: Annotated[float, Field(ge=0)] = 0,
    contact_timeout: Annotated[float, Field(ge=0)] = 600,
    poll: Annotated[float, Field(ge=1)] = 15,
    on_cancel: OnCancel = "kill",  # noqa: ARG001 - the hook reads it
    notify: Notify = NOBODY,
    dry_run: bool = False,
) -> RunState[Any]:
    """Migrate every host of a pattern; on failure roll all of them back. A retried run goes on where it was.

    Args:
        hosts: Hosts to migrate, as a pattern: db1, databases, db*:!db3. They are taken in the inventory's order.
        commands: What to run on each host. Only migrate is needed.
        timeouts: Seconds that each command may take.
        order: All hosts together, or one by one: the next begins when the one before it is verified.
        approval: Whether a person has to agree first.
        backup_first: What to back up before anything is changed; the migration begins only on a verified backup.
        free_space: Space that must be free on every host before anything begins.
        check_commands: Check on every host, before anything begins, that the shell understands each command, and that
            its first program and the file that this reads are there. Switch it off where migrate itself brings them.
        may_leave_running: Whether what migrate leaves in the background is meant to stay. Otherwise the run is Unknown
            while it runs, for it may still write.
        postgres: How PostgreSQL is asked whether a statement of the migration is still at work there: before a
            rollback begins, and before what migrate did is called a success. Without it only processes are proven dead.
        wait_for_lock: Seconds to wait for a migration that holds a host; after that the run is refused.
        contact_timeout: Seconds that a host may be unreachable; after that the run ends as Unknown, and can be
            retried.
        poll: Seconds between two polls of a running command; its end is seen at once.
        on_cancel: What becomes of its steps when it is cancelled: kill those that change data, or leave all running.
        dry_run: Show what would run where, and run nothing.
    """
    selected, nowhere = select(access, hosts)
    if nowhere:
        return state_of(nowhere)
    here = Migration(
        access=access,
        plan=MigrationPlan(selected, commands.steps, one_by_one=order == "one_by_one"),
        commands=commands,
        timeouts=timeouts,
        jids=jids_of_this_run(),
        owner=str(flow_run.id),
        label=str(flow_run.name),
        free_space=free_space,
        check_commands=check_commands,
        may_leave_running=may_leave_running,
        postgres=postgres,
        contact_timeout=contact_timeout,
        poll=poll,
    )
    if dry_run:
        return dry_run_state(migration_of(here, backup_first), access)
    # In this order: a migration that waits for its turn keeps no forks from others.
    with group_slots("migration", access, selected):
        here, preflight = await_locks(*find(here), within=wait_for_lock)
        with fork_slots(access):
            return notify_of_lock(notify, _migrate(here, preflight, approval, backup_first))


def _migrate(
    here: Migration, preflight: Preflight, approval: Approval, backup_first: BackupPlan | None
) -> RunState[Any]:
    fresh = not may_have_begun(preflight)
    if fresh:
        if problems := (*preflight.problems, *_not_to_be_saved(here.access, backup_first)):
            return conclude(here, refused_for(preflight, *problems), preflight)
        saved = [item.name for item in backup_first.items] if backup_first else []
        if no := ask(approval, question(here, saved)):
            return conclude(here, refused(no), preflight)
    preflight = here.lock(preflight)
    if preflight.problems:
        verdict = refused_for(preflight, *preflight.problems) if fresh else unknown(*preflight.problems)
        return conclude(here, verdict, preflight)
    if fresh and backup_first and (no := _back_up(here.access, backup_first, here.poll)):
        return conclude(here, refused(no), preflight)
    if over := end_of_before(here, preflight):
        return conclude(here, over, preflight)
    verdict, observed = here.carry_out(preflight.observed)
    return conclude(here, verdict, replace(preflight, observed=observed))


def _not_to_be_saved(access: Access, plan: BackupPlan | None) -> list[str]:
    """Why items of the plan mean no host; known without an approval and without a lock on a host."""
    return [f"{end.step}: {end.reason}" for end in steps_of(access, plan)[1]] if plan else []


def _back_up(access: Access, plan: BackupPlan, poll: float) -> str:
    """Back up, once: a run that begins anew takes the backup that there is. Returns why there is no verified one."""
    state = backup.with_options(persist_result=True)(access, plan, poll=poll, return_state=True)
    if state.is_completed() and state.name == RUN_WARNING:
        return f"the backup before it is not verified in full: {state.message}"
    return "" if state.is_completed() else f"the backup before it did not succeed: {state.message}"
