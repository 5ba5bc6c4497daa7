"""A dry run shows what would run where, and no host hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from remotejobs.operations.backup import BackupPlan, CommandItem
from remotejobs.operations.migration import Commands
from remotejobs.operations.rolling import Health, Update
from remotejobs.operations.upgrade import Upgrade
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.flows.reboot import reboot
from remotejobs.prefect.flows.rolling_update import rolling_update
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.flows.upgrade import upgrade
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.runs.options import RunOptions
from remotejobs.testing import FakeHosts
from tests.artifacts import table_of

HOSTS = Access(inventory="db1,db2", become=True)
ONLY_SHOW = RunOptions(dry_run=True)
PLAN = BackupPlan(
    directory="/backup", commands=(CommandItem(name="etc", hosts="db1", command="tar -cC /etc .", extension="tar"),)
)


@pytest.fixture
def fake() -> Iterator[FakeHosts]:
    fake = FakeHosts()
    for host in ("db1", "db2"):
        fake.host(host).unreachable()
    with reached_by(fake.connect):
        yield fake
    assert fake.started() == ()


def shown(state: State[Any]) -> list[tuple[Any, ...]]:
    assert (state.name, state.is_completed()) == ("DryRun", True)
    rows = table_of(state.state_details.flow_run_id)
    return [(row["host"], row["as user"], row["when"], row["step"]) for row in rows]


def test_a_command(fake: FakeHosts) -> None:
    state: State[Any] = run_command(HOSTS, "all", "uptime", label="look", run=ONLY_SHOW, return_state=True)
    assert state.message == "2 commands on 2 hosts would run; see the table dry-run"
    assert shown(state) == [("db1", "root", "", "look"), ("db2", "root", "", "look")]
    assert state.result() == []


def test_a_backup(fake: FakeHosts) -> None:
    state: State[Any] = backup(HOSTS, PLAN, run=ONLY_SHOW, return_state=True)
    assert [row[0] for row in shown(state)] == ["db1"]
    (row,) = table_of(state.state_details.flow_run_id)
    command = str(row["command"])
    assert "tar -cC /etc ." in command
    assert len(command.splitlines()) < 32


def test_a_migration_with_a_backup_before_it(fake: FakeHosts) -> None:
    commands = Commands(migrate="alembic upgrade head", rollback="alembic downgrade -1")
    state: State[Any] = migration(HOSTS, "db1", commands, backup_first=PLAN, dry_run=True, return_state=True)
    assert [row[2:] for row in shown(state)] == [
        ("first", "command etc"),
        ("", "migrate"),
        ("only after a failure", "rollback"),
    ]


def test_an_update_and_an_upgrade_with_their_batches(fake: FakeHosts) -> None:
    update = Update(version="2.0.1", deploy="./deploy", revert="nothing", health=Health(url="http://{host}/health"))
    state: State[Any] = rolling_update(HOSTS, "all", update, dry_run=True, return_state=True)
    assert shown(state) == [("db1", "root", "batch 1", "deploy 2.0.1"), ("db2", "root", "batch 2", "deploy 2.0.1")]
    state = upgrade(HOSTS, "all", Upgrade(serial=2), dry_run=True, return_state=True)
    assert [row[2:] for row in shown(state)] == [("batch 1", "prepare upgrade"), ("batch 1", "install upgrade")] * 2


def test_a_reboot_with_its_batches(fake: FakeHosts) -> None:
    state: State[Any] = reboot(HOSTS, "all", dry_run=True, return_state=True)
    assert shown(state) == [("db1", "root", "batch 1", "reboot"), ("db2", "root", "batch 2", "reboot")]
