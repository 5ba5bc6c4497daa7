"""A cancelled migration: what changes data is ended, what a rollback needs is not, and it is said what comes next."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun

from flows.migration import migration
from remotejobs.migration import Commands
from remotejobs.model import State
from tasks.access import Access
from tasks.cancel_report import line_of
from tasks.connections import jobs_on
from tasks.migration_steps import migration_on
from tests.flows.test_cancel import cancel, jobs_of, scheduled

ENTRYPOINT = "flows/migration.py:migration"
pytestmark = pytest.mark.slow


def told(run: FlowRun) -> str:
    with get_client(sync_client=True) as client:
        return line_of(client, run)


def states(run: FlowRun, access: Access) -> dict[str, State]:
    return {record.label: record.state for record in jobs_of(run, access, "db1")}


def clear(run: FlowRun, access: Access) -> None:
    """What the cancel left alone, for the next test."""
    for record in jobs_of(run, access, "db1"):
        jobs_on(access, "db1").kill(record.jid)
    migration_on(access, "db1").lock.release(str(run.id))


def test_migrate_is_killed_what_a_rollback_needs_goes_on_and_the_host_stays_locked(
    access: Access, tmp_path: Path
) -> None:
    commands = Commands(
        migrate=f"touch {tmp_path}/begun; sleep 300",
        prepare_rollback="sleep 300",
        rollback="true",
        verify_rollback="true",
    )
    run = scheduled(migration, ENTRYPOINT, access=access, hosts="db1", commands=commands, poll=1)
    cancel(run, [tmp_path / "begun"])
    assert states(run, access) == {"migrate": State.KILLED, "prepare_rollback": State.RUNNING}
    assert "stay locked. Retry the run: it rolls back every host where migrate began" in told(run)
    lock = migration_on(access, "db1").lock
    holder = lock.look()
    assert holder and holder.owner == str(run.id)
    clear(run, access)


def test_a_rollback_under_way_is_not_killed(access: Access, tmp_path: Path) -> None:
    commands = Commands(migrate="false", rollback=f"touch {tmp_path}/begun; sleep 300", verify_rollback="true")
    run = scheduled(migration, ENTRYPOINT, access=access, hosts="db1", commands=commands, poll=1)
    cancel(run, [tmp_path / "begun"])
    assert states(run, access)["rollback"] is State.RUNNING
    assert "A rollback is under way and goes on. Retry the run" in told(run)
    clear(run, access)


def test_one_that_had_not_begun_is_unlocked(access: Access, tmp_path: Path) -> None:
    saved = {"name": "slow", "hosts": "db1", "command": f"touch {tmp_path}/begun; sleep 300"}
    plan = {"directory": "backups", "min_free_mib": 0, "commands": [saved]}
    commands = Commands(migrate="true", rollback="true", verify_rollback="true")
    given = {"access": access, "hosts": "db1", "commands": commands, "backup_first": plan, "poll": 1}
    run = scheduled(migration, ENTRYPOINT, **given)
    cancel(run, [tmp_path / "begun"])
    assert told(run) == "Nothing was begun on any host, and no host is locked by it. Start a new run"
    assert migration_on(access, "db1").lock.look() is None
