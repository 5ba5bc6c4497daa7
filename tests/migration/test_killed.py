"""A controller killed with SIGKILL, in every step: the run that is retried goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.demos.shop import FAILURE, NOTHING, Shop, commands
from lab.servers.sshd import SshLab
from remotejobs.operations.backup import BackupPlan, CommandItem
from remotejobs.operations.migration import Commands
from remotejobs.prefect.tasks.access import Access
from tests.migration.conftest import Control, Controller, EndedMigration, Migrate, lock_of
from tests.migration.gates import Gates

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]


def gated(gates: Gates, halfway: str) -> Commands:
    plain = commands(halfway).model_copy(update={"prepare_rollback": "true"})
    return Commands.model_validate({step: gates.command(step, plain.of(step)) for step in plain.steps})


def backup_of(gates: Gates) -> BackupPlan:
    saved = gates.command("backup", "echo saved")
    return BackupPlan(commands=(CommandItem(name="shop", hosts="db1", command=saved),), directory="backups")


def parameters(access: Access, gates: Gates, halfway: str) -> Mapping[str, object]:
    return {
        "access": access,
        "hosts": "db1",
        "commands": gated(gates, halfway),
        "backup_first": backup_of(gates),
    }


def kill_in(run: Controller, gates: Gates, step: str) -> None:
    """Kill the controller while `step` is under way, and let the step end before the next poll."""
    gates.close(step)
    run.start()
    gates.arrival(step)
    run.kill()
    gates.open(step)


def kill_after(run: Controller, what: str) -> None:
    run.start()
    run.await_words(f"{what} - Finished in state Completed")
    run.kill()


def test_killed_in_every_step_of_a_migration_that_fails_it_is_rolled_back_all_the_same(
    shop: Shop,
    migrate: Migrate,
    access: Access,
    lab: SshLab,
    tmp_path: Path,
    gates: Gates,
    controller: Control,
) -> None:
    (tmp_path / "calm").mkdir()
    undisturbed = Gates(tmp_path / "calm")
    calm = migrate("db1", gated(undisturbed, FAILURE), backup_first=backup_of(undisturbed))
    assert calm.end == "RolledBack"

    run = controller(parameters(access, gates, FAILURE))
    kill_after(run, "Task run 'check db1'")
    kill_after(run, "Task run 'lock db1'")
    kill_in(run, gates, "backup")
    kill_after(run, "Flow run 'backup of shop'")
    kill_in(run, gates, "migrate")
    kill_after(run, "Task run 'prove all dead on db1'")
    kill_in(run, gates, "rollback")
    kill_in(run, gates, "verify_rollback")
    kill_after(run, "Task run 'unlock db1'")
    run.start()
    ended = EndedMigration(run.finish(), access)

    assert (ended.end, ended.message) == (calm.end, calm.message)
    assert sorted(gates.runs) == sorted(undisturbed.runs), "no step ran twice"
    assert set(gates.runs) == {"backup", "migrate", "prepare_rollback", "rollback", "verify_rollback"}
    assert shop.checksum("db1") == shop.untouched
    assert not lock_of(lab.host("db1")).exists()

    run.start()  # Retry
    retried = EndedMigration(run.finish(), access)
    assert retried.end == "RolledBack"
    assert retried.message.startswith("Nothing ran again; this is the end of 2")
    assert "To run it again: Copy to new run. db1: migrate failed" in retried.message
    assert "Nothing ran again" in run.said
    assert sorted(gates.runs) == sorted(undisturbed.runs)


def test_killed_in_every_step_of_one_that_succeeds_it_completes_all_the_same(
    shop: Shop,
    access: Access,
    gates: Gates,
    lab: SshLab,
    controller: Control,
) -> None:
    run = controller(parameters(access, gates, NOTHING))
    gates.close("migrate")
    run.start()
    gates.arrival("migrate")
    run.kill()
    gates.close("verify")
    run.start()
    run.await_words("attached to job migrate")
    gates.open("migrate")
    gates.arrival("verify")
    run.kill()
    gates.open("verify")
    run.start()
    ended = EndedMigration(run.finish(), access)
    assert (ended.end, ended.message) == ("Completed", "Migrated and verified on db1")
    assert sorted(gates.runs) == ["backup", "migrate", "prepare_rollback", "verify"]
    assert not lock_of(lab.host("db1")).exists()
