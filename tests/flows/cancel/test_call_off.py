"""A cancelled migration: what changes data is ended, what a rollback needs is not, and it is said what comes next.

That a worker calls it off, and that a retry rolls back then, is in tests/resume/test_living_worker.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from remotejobs.jobs.locks import HostLock
from remotejobs.model import Job, State
from remotejobs.operations.migration import Commands, MigrationStep
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.cancel.report import line_of
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.migration.cancel import call_off
from remotejobs.prefect.tasks.migration.steps import migration_on
from tests.flows.cancel.test_cancel import jobs_of, scheduled


@dataclass(frozen=True)
class UnderWay:
    """A migration on db1 that has the lock; its steps are started by the test."""

    run: FlowRun
    access: Access

    def begin(self, step: MigrationStep, command: str = "sleep 300") -> None:
        jobs = jobs_on(self.access, "db1")
        jid = jobs.start(Job(jid=jid_for(step, run=str(self.run.id)), cmd=command, label=step)).jid
        if command != "sleep 300":
            jobs.record(jid, wait=30)

    def call_off(self) -> str:
        """What is reported of it."""
        call_off(migration, self.run, Cancelling())
        with get_client(sync_client=True) as client:
            return line_of(client, self.run)

    @property
    def states(self) -> dict[str, State]:
        return {record.label: record.state for record in jobs_of(self.run, self.access, "db1")}

    @property
    def lock(self) -> HostLock:
        return migration_on(self.access, "db1").lock


@pytest.fixture
def under_way(access: Access) -> Iterator[UnderWay]:
    commands = Commands(migrate="true", prepare_rollback="true", rollback="true", verify_rollback="true")
    run = scheduled(migration, access=access, hosts="db1", commands=commands)
    under_way = UnderWay(run, access)
    under_way.lock.take(str(run.id), label="migration")
    yield under_way
    for record in jobs_of(run, access, "db1"):
        jobs_on(access, "db1").kill(record.jid)
    under_way.lock.release(str(run.id))


def test_cancelling_a_migration_calls_it_off() -> None:
    assert migration.on_cancellation_hooks == [call_off]


def test_migrate_is_killed_what_a_rollback_needs_goes_on_and_the_host_stays_locked(under_way: UnderWay) -> None:
    under_way.begin(MigrationStep.PREPARE_ROLLBACK)
    under_way.begin(MigrationStep.MIGRATE)
    reported = under_way.call_off()
    assert under_way.states == {"migrate": State.KILLED, "prepare_rollback": State.RUNNING}
    assert "stay locked. Retry the run: it rolls back every host where migrate began" in reported
    holder = under_way.lock.holder()
    assert holder and holder.owner == str(under_way.run.id)


def test_a_rollback_under_way_is_not_killed(under_way: UnderWay) -> None:
    under_way.begin(MigrationStep.MIGRATE, "false")
    under_way.begin(MigrationStep.ROLLBACK)
    reported = under_way.call_off()
    assert under_way.states["rollback"] is State.RUNNING
    assert "A rollback is under way and goes on. Retry the run" in reported


def test_one_that_had_not_begun_is_unlocked(under_way: UnderWay) -> None:
    reported = under_way.call_off()
    assert reported == "Nothing was started on any host, and no host is locked by it. Start a new run"
    assert under_way.lock.holder() is None
