"""A migration as another user: jobs, lock and proof are that user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.cli import main
from remotejobs.operations.migration import Commands
from remotejobs.prefect.tasks.access import Access
from tests.migration.conftest import Migrate


@pytest.fixture
def as_user(lab: SshLab, tmp_path: Path) -> Access:
    """The same hosts, with jobs in the home of the user they run as."""
    lines = lab.write_inventory(tmp_path / "inventory.yml").read_text().splitlines(keepends=True)
    inventory = tmp_path / "as-user.yml"
    inventory.write_text("".join(line for line in lines if "remotejobs_dir" not in line))
    return Access(inventory=str(inventory), become=True)


def test_jobs_and_lock_belong_to_the_become_user_and_the_story_s_commands_find_them(
    migrate: Migrate, as_user: Access, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = Commands(migrate="id -un; exit 3", rollback="id -un >>rolled-back; exit 4")
    with LabUser.unique("migrate") as user:
        ended = migrate("db1", fails, access=as_user.model_copy(update={"become_user": user.name}))
        home = Path("/home", user.name)
        assert ended.end == "RollbackFailed"
        assert (home / "rolled-back").read_text().split() == [user.name]
        assert (home / ".remotejobs/.locks/migration").exists()
        asked = next(line for line in ended.report.splitlines() if line.startswith("remotejobs log"))
        main(asked.split()[1:])
        assert user.name in capsys.readouterr().out
