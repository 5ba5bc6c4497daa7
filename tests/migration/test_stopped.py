"""What another daemon does for migrate, which no proof of processes sees, is stopped before anything is rolled back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from remotejobs.operations.migration import Commands
from tests.migration.conftest import Migrate, lock_of

# It was there before, and is no child of the job: while there is a file `asked`, it writes.
DAEMON = "while sleep 0.02; do if [ -e asked ]; then echo row >>rows; fi; done"
MIGRATE = "touch asked; until [ -s rows ]; do sleep 0.05; done; exit 3"
QUIET = "before=$(wc -l <rows); sleep 0.5; [ $(wc -l <rows) = $before ]"


def plan(stop: str) -> Commands:
    return Commands(
        migrate=MIGRATE,
        stop=stop,
        verify_stop=QUIET,
        rollback="touch rolled-back; : >rows",
        verify_rollback="sleep 0.5; [ ! -s rows ]",  # were the daemon still at work, rows would be there again
    )


@pytest.fixture
def home(lab: SshLab) -> Iterator[Path]:
    home = lab.host("db1").home
    for name in ("asked", "rows", "rolled-back"):
        (home / name).unlink(missing_ok=True)
    with subprocess.Popen(["sh", "-c", DAEMON], cwd=home) as daemon:
        yield home
        daemon.kill()


def test_its_work_is_ended_by_stop_and_only_then_rolled_back(migrate: Migrate, home: Path, lab: SshLab) -> None:
    ended = migrate("db1", plan(stop="rm asked"))
    assert (ended.end, (home / "rows").read_text()) == ("RolledBack", "")
    assert {"stop", "verify_stop", "rollback"} <= set(ended.jobs("db1"))
    assert not lock_of(lab.host("db1")).exists()


def test_while_it_goes_on_nothing_is_rolled_back(migrate: Migrate, home: Path, lab: SshLab) -> None:
    ended = migrate("db1", plan(stop="true"))
    assert ended.end == "RollbackFailed"
    assert "not rolled back, for verify_stop failed" in ended.message
    assert not (home / "rolled-back").exists()
    assert lock_of(lab.host("db1")).exists()
