"""A migrate that ended with 0 and left a writer in the background: it is named, and nothing is called a success."""

from __future__ import annotations

import pytest

from lab.servers.sshd import SshLab
from remotejobs.operations.migration import Commands
from remotejobs.prefect.tasks.access import Access
from tests.migration.conftest import Control, EndedMigration, Migrate, lock_of

WRITER = "(until [ -e enough ]; do echo row >>rows; sleep 0.1; done) >/dev/null 2>&1 &"


@pytest.mark.parametrize("verify", ["", "echo verified >>verified"])
def test_it_is_unknown_until_the_writer_has_ended_and_only_then_verified(
    controller: Control, access: Access, lab: SshLab, verify: str
) -> None:
    home = lab.host("db1").home
    for name in ("enough", "verified"):
        (home / name).unlink(missing_ok=True)
    run = controller({"access": access, "hosts": "db1", "commands": Commands(migrate=WRITER, verify=verify), "poll": 1})
    run.start()
    first = EndedMigration(run.finish(), access)
    assert first.end == "Unknown"
    assert "db1: migrate ended with 0 and left running migrate." in first.message
    assert not (home / "verified").exists()
    assert lock_of(lab.host("db1")).exists()
    (home / "enough").touch()
    run.start()
    assert EndedMigration(run.finish(), access).end == "Completed"
    assert (home / "verified").exists() is bool(verify)


def test_what_is_meant_to_stay_is_left_on_request(migrate: Migrate, lab: SshLab) -> None:
    home = lab.host("db1").home
    (home / "enough").unlink(missing_ok=True)
    assert migrate("db1", Commands(migrate=WRITER), may_leave_running=True).end == "Completed"
    (home / "enough").touch()


def test_a_client_whose_work_goes_on_without_it_is_named_as_the_limit_of_the_proof(migrate: Migrate) -> None:
    commands = Commands(migrate="true docker exec -i db psql; exit 3", rollback="true", verify_rollback="true")
    ended = migrate("db1", commands)
    assert ended.end == "RolledBack"
    assert "The proof that migrate is dead does not cover docker exec: the container goes on" in ended.message
