"""The nightly backup as a flow: real databases on real hosts, one failure among them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from prefect.client.schemas.objects import State as RunState
from prefect.exceptions import ParameterTypeError

from flows.backup import backup
from lab.postgres import DATABASES, Postgres
from lab.sshd import SshLab
from remotejobs.backup import BackupPlan
from tasks.access import Access
from tasks.backups import Backup
from tasks.errors import HostsFailed
from tests.artifacts import name_of, table_of
from tests.task_log import TaskLog


def database(postgres: Postgres, name: str, hosts: str = "db1", **others: object) -> dict[str, object]:
    server = {"server": postgres.host, "port": postgres.port, "user": postgres.user}
    return {"name": name, "hosts": hosts, "database": name, "passfile": str(postgres.passfile)} | server | others


def command(name: str, text: str, hosts: str = "db2") -> dict[str, object]:
    return {"name": name, "hosts": hosts, "command": text}


def run(access: Access, **items: list[dict[str, object]]) -> RunState[list[Backup]]:
    plan = BackupPlan.model_validate({**items, "directory": "backups", "min_free_mib": 0})
    state: RunState[list[Backup]] = backup(access, plan, poll=1, return_state=True)
    return state


def test_databases_and_files_of_several_hosts_are_backed_up(
    access: Access, lab: SshLab, postgres: Postgres, task_log: TaskLog
) -> None:
    (lab.host("files1").home / "site").mkdir()
    (lab.host("files1").home / "site" / "index.html").write_text("hello")
    site: dict[str, object] = {"name": "site", "hosts": "files", "base": ".", "paths": ["site"]}
    # Longer than an attempt waits, which is the time between polls.
    slow = command("slow", "sleep 3; echo x")
    databases = [database(postgres, name, restore_test=True) for name in DATABASES]
    state = run(access, databases=databases, files=[site], commands=[slow])
    rows = table_of(state.state_details.flow_run_id)
    assert [(row["host"], row["item"], row["state"], row["restore-tested"]) for row in rows] == [
        ("db1", "pg_dump orders", "succeeded", "yes"),
        ("db1", "pg_dump users", "succeeded", "yes"),
        ("db1", "pg_dump analytics", "succeeded", "yes"),
        ("files1", "tar site", "succeeded", "no"),
        ("db2", "command slow", "succeeded", "no"),
    ]
    for each in state.result():
        assert each.report
        path = Path(each.report.path)
        assert path.parent == lab.host(each.end.host).home / "backups"
        assert path.stat().st_size == each.report.bytes
        subprocess.run(["sha256sum", "-c", f"{path}.sha256"], cwd=path.parent, check=True, capture_output=True)
    assert task_log.having("Retry 1/")
    assert name_of(state.state_details.flow_run_id) == "backup of 5 items"


def test_one_failed_item_stops_no_other_and_fails_the_run_by_name(access: Access, postgres: Postgres) -> None:
    state = run(
        access,
        databases=[database(postgres, "nowhere"), database(postgres, "users")],
        commands=[command("bad", "echo half; exit 5")],
    )
    with pytest.raises(HostsFailed) as caught:
        state.result()
    assert str(caught.value).startswith("2 of 3 failed\npg_dump nowhere on db1: failed, rc 1")
    assert "command bad on db2: failed, rc 1" in str(caught.value)
    assert 'database "nowhere" does not exist' in str(caught.value)
    rows = table_of(state.state_details.flow_run_id)
    assert {row["item"]: row["state"] for row in rows} == {
        "command bad": "failed",
        "pg_dump nowhere": "failed",
        "pg_dump users": "succeeded",
    }


def test_an_item_whose_hosts_are_not_known_stops_no_other(access: Access) -> None:
    state = run(access, commands=[command("lost", "echo x", hosts="gone"), command("good", "echo x")])
    with pytest.raises(HostsFailed, match="1 of 2 failed\ncommand lost on gone: "):
        state.result()
    states = {row["item"]: row["state"] for row in table_of(state.state_details.flow_run_id)}
    assert states == {"command lost": "error", "command good": "succeeded"}


def test_an_item_that_takes_too_long_is_ended_by_its_own_limit(access: Access) -> None:
    slow = command("slow", "sleep 300") | {"limit": 1}
    state = run(access, commands=[slow, command("good", "sleep 2; echo x")])
    with pytest.raises(HostsFailed, match="1 of 2 failed\ncommand slow on db2: timed_out, rc 143 after"):
        state.result()


def test_a_poll_of_zero_seconds_is_refused_before_anything_is_started(access: Access, tmp_path: Path) -> None:
    plan = BackupPlan.model_validate({"commands": [command("thing", f"touch {tmp_path}/ran")]})
    with pytest.raises(ParameterTypeError, match="poll"):
        backup(access, plan, poll=0)
    assert not (tmp_path / "ran").exists()


def test_two_items_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="the name 'twice' is given twice"):
        BackupPlan.model_validate({"commands": [command("twice", "echo x"), command("twice", "echo y")]})
