"""What runs under the lock before anything is migrated, and what every step runs with."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lab.servers.sshd import SshLab
from remotejobs.operations.migration import Commands
from tests.migration.conftest import Migrate, lock_of


def test_it_runs_under_the_lock_and_every_step_with_the_environment_and_directory_given(
    migrate: Migrate, lab: SshLab
) -> None:
    host = lab.host("db1")
    app = host.home / "app"
    app.mkdir(exist_ok=True)
    (app / "said").unlink(missing_ok=True)
    says = 'echo "$PWD $RELEASE $PGAPPNAME" >>said'
    commands = Commands(
        before=f"[ -s {lock_of(host)} ] && {says}",
        migrate=says,
        verify=says,
        env={"RELEASE": "7"},
        chdir=str(app),
    )
    ended = migrate("db1", commands)
    assert ended.end == "Completed", ended.message
    assert (app / "said").read_text().splitlines() == [
        f"{app} 7 {step}.{ended.id}" for step in ("before", "migrate", "verify")
    ]


def test_unless_it_succeeds_everywhere_nothing_is_migrated_and_no_host_stays_locked(
    migrate: Migrate, lab: SshLab
) -> None:
    before = "case $HOME in */db2*) echo not here; exit 3 ;; esac"
    ended = migrate("db1,db2", Commands(before=before, migrate="true", rollback="true"))
    assert (ended.end, ended.message) == ("Refused", "db2: before failed, rc 3. migrate ran nowhere")
    assert set(ended.jobs("db1")) == set(ended.jobs("db2")) == {"before"}
    assert "Nothing was migrated. What before did is not undone." in ended.report
    assert not lock_of(lab.host("db1")).exists()


@pytest.mark.parametrize("wrong", [{"env": {"A B": "1"}}, {"chdir": "app"}])
def test_what_no_job_could_run_with_is_refused_at_once(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="A B|'app' is not an absolute path"):
        Commands.model_validate({"migrate": "true", **wrong})
