"""Restoring as a flow: from real hosts into a real database, asked first where something is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State as RunState

from lab.servers.postgres import Postgres
from lab.servers.sshd import SshLab
from remotejobs.operations.backup import BackupPlan, Restore
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.restore import PlannedRestore, RestoreTarget
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.flows.restore import restore
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.approval import Approval
from remotejobs.prefect.tasks.backups import restores
from remotejobs.prefect.tasks.cancel.cancel import kill_jobs_of
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from tests.artifacts import name_of, table_of

PLACE = "restorable"


@pytest.fixture(scope="module")
def server(postgres: Postgres) -> dict[str, object]:
    return {"server": postgres.host, "port": postgres.port, "user": postgres.user, "passfile": str(postgres.passfile)}


@pytest.fixture(autouse=True)
def no_copies(postgres: Postgres) -> Iterator[None]:
    """What was restored is gone after the test."""
    yield
    for name in postgres.query("SELECT datname FROM pg_database WHERE datname LIKE 'flow_back%'").splitlines():
        postgres.query(f'DROP DATABASE "{name}"')


@pytest.fixture(scope="module")
def saved(access: Access, server: dict[str, object], prefect_server: Path) -> str:
    """A backup of a database on db1, which no test changes; its path."""
    item = {"name": "users", "hosts": "db1", "database": "users", "restore_test": True, **server}
    plan = BackupPlan.model_validate({"databases": [item], "directory": PLACE, "min_free_mib": 0})
    (done,) = backup(access, plan)
    assert done.report
    return done.report.path


def run(access: Access, server: dict[str, object], **more: Any) -> RunState[Any]:
    settings = {"item": "users", "directory": PLACE, "database": "flow_back", "reserve_mib": 0, **server}
    wanted = Restore.model_validate(settings | more.pop("settings", {}))
    state: RunState[Any] = restore(access, "db1", wanted, return_state=True, **more)
    return state


def test_sessions_that_come_and_go_make_no_other_question() -> None:
    entry = CatalogueEntry(
        host="db1", directory="/b", file="f", item="users", made=datetime.now(UTC), age=1, bytes=1, tested=True
    )
    wanted = Restore(item="users", database="flow_back", end_sessions=True)
    one, more = (
        restores.question(
            wanted, [PlannedRestore(host="db1", entry=entry, target=RestoreTarget(exists=True, sessions=count))]
        )
        for count in (0, 12)
    )
    assert one == more
    assert "**replaced**" in one


def test_a_dry_run_shows_which_backup_would_go_where_and_changes_nothing(
    access: Access, saved: str, server: dict[str, object], postgres: Postgres
) -> None:
    state = run(access, server, dry_run=True)
    assert (state.name, state.result()) == ("DryRun", [])
    (row,) = table_of(state.state_details.flow_run_id)
    assert (row["backup"], row["state"], row["target"]) == (Path(saved).name, "tested", "is new")
    assert "flow_back" not in postgres.query("SELECT datname FROM pg_database").splitlines()


def test_the_latest_good_backup_is_restored_into_a_new_database(
    access: Access, saved: str, server: dict[str, object], postgres: Postgres
) -> None:
    state = run(access, server)
    (done,) = state.result()
    assert done.report
    (row,) = table_of(state.state_details.flow_run_id)
    assert row["restored"] == done.report.counts
    assert postgres.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", "flow_back") != "0"
    assert name_of(state.state_details.flow_run_id) == "restore users to flow_back on db1"


def test_what_exists_is_replaced_only_after_a_yes(
    access: Access, saved: str, server: dict[str, object], postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.query("CREATE DATABASE flow_back")
    refused = run(access, server)
    assert (refused.name, "only a run of a deployment can wait for it" in str(refused.message)) == ("Refused", True)
    asked: list[tuple[Approval, str]] = []

    def yes(approval: Approval, question: str) -> str:
        asked.append((approval, question))
        return ""

    monkeypatch.setattr(restores, "ask", yes)
    (done,) = run(access, server).result()
    assert done.report.before.startswith("flow_back_before_")
    ((approval, question),) = asked
    assert approval.needed
    assert Path(saved).name.removesuffix(".dump") in question
    assert "What is there is **replaced**, and kept under another name." in question


def test_a_run_that_begins_anew_attaches_to_what_it_began_and_asks_nobody(
    access: Access, saved: str, server: dict[str, object], postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    def jid_of(_restore: Restore) -> str:
        return "restore-once"

    monkeypatch.setattr(restores, "jid_of", jid_of)
    first = run(access, server).result()
    again = run(access, server, approval=Approval(needed=True)).result()
    assert first[0].report == again[0].report
    assert len([job for job in jobs_on(access, "db1").list() if job.jid == "restore-once"]) == 1


def test_without_a_backup_nothing_is_begun(access: Access, lab: SshLab, server: dict[str, object]) -> None:
    with pytest.raises(HostsFailed, match="there is no backup of nothing in"):
        run(access, server, settings={"item": "nothing"}).result()


def test_a_cancel_finds_the_job_that_fetches_a_copy(
    access: Access, server: dict[str, object], saved: str, tmp_path: Path
) -> None:
    copy = Path(saved)
    fetch = f'case $BACKUP_NAME in _*) cat "{saved}.json" ;; *) exit 3 ;; esac'
    more = {"fetch": fetch, "file": copy.name, "directory": str(tmp_path / "new")}
    failed = run(access, server, settings=more)
    assert failed.is_failed()
    run_id = failed.state_details.flow_run_id
    assert run_id
    assert [job.label for job in kill_jobs_of(run_id)] == [f"fetch {copy.name}"]
