"""The nightly backup as a flow: real databases on real hosts, and a bad night on simulated ones."""

from __future__ import annotations

import math
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.client.schemas.objects import State as RunState
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ParameterTypeError

from lab.servers.postgres import DATABASES, Postgres
from lab.servers.sshd import SshLab
from remotejobs.operations.backup import BackupPlan, CommandItem
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.backups import Backup, jid_of
from remotejobs.prefect.tasks.connections import reached_by
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.testing import FakeHosts, Plan, StartedJob
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
    access: Access, lab: SshLab, postgres: Postgres, task_log: TaskLog, go: Path
) -> None:
    (lab.host("files1").home / "site").mkdir()
    (lab.host("files1").home / "site" / "index.html").write_text("hello")
    site: dict[str, object] = {"name": "site", "hosts": "files", "base": ".", "paths": ["site"]}
    # Longer than an attempt waits, which is the time between polls.
    task_log.when("command slow on db2: running", go.touch)
    slow = command("slow", f"until [ -e {go} ]; do sleep 0.1; done; echo x")
    # One in a throw-away server, which takes a second.
    where = {"orders": "cluster"}
    databases = [
        database(postgres, name, restore_test=True, restore_on=where.get(name, "server")) for name in DATABASES
    ]
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
        assert path.parent == lab.host(each.result.host).home / "backups"
        assert path.stat().st_size == each.report.bytes
        subprocess.run(["sha256sum", "-c", f"{path}.sha256"], cwd=path.parent, check=True, capture_output=True)
    assert task_log.having("Retry 1/")
    assert name_of(state.state_details.flow_run_id) == "backup of 5 items"


REPORT = """remotejobs-backup 1
path=/backup/users.dump
bytes=2048
sha256=abc
seconds=1
restore_tested=no
kept=1
removed=0
retention=off
end
"""


@dataclass(frozen=True)
class Night:
    state: RunState[list[Backup]]
    started: tuple[StartedJob, ...]


@pytest.fixture(scope="module")
def bad_night() -> Night:
    """On simulated hosts: a database that is not there, a command that fails, one that takes too long, and hosts that
    nobody knows; only `users` ends well."""
    fake = FakeHosts(Plan(stdout=REPORT))
    fake.plan("PGDATABASE=nowhere", Plan(rc=1, stderr='pg_dump: error: database "nowhere" does not exist\n'))
    fake.plan("echo half", Plan(rc=1, stderr="the command ended with 5\n"))
    fake.plan("sleep 300", Plan(lasts=math.inf))
    fake.plan("echo silence", Plan())
    databases: list[dict[str, object]] = [
        {"name": name, "hosts": "db1", "database": name} for name in ("nowhere", "users")
    ]
    commands = [
        command("bad", "echo half; exit 5"),
        command("slow", "sleep 300") | {"timeout": 60},
        command("lost", "echo x", hosts="gone"),
        command("mute", "echo silence"),
    ]
    with reached_by(fake.connect):
        return Night(run(Access(inventory="db1,db2"), databases=databases, commands=commands), fake.started())


def test_failed_items_stop_no_other_and_fail_the_run_by_name(bad_night: Night) -> None:
    with pytest.raises(HostsFailed) as caught:
        bad_night.state.result()
    assert str(caught.value).startswith("5 of 6 failed\npg_dump nowhere on db1: failed, rc 1")
    assert 'database "nowhere" does not exist' in str(caught.value)
    assert "command bad on db2: failed, rc 1" in str(caught.value)
    states = {row["item"]: row["state"] for row in table_of(bad_night.state.state_details.flow_run_id)}
    assert states == {
        "command bad": "failed",
        "command lost": "error",
        "command mute": "error",
        "command slow": "timed_out",
        "pg_dump nowhere": "failed",
        "pg_dump users": "succeeded",
    }


WARNED = REPORT.replace("end\n", "untested=x\nwarning=untested: no CREATEDB\nwarning=a\x1b[2Jb: file changed\nend\n")
UNTESTED: dict[str, object] = {"name": "users", "hosts": "db1", "database": "users"}


def test_a_run_with_warnings_alone_ends_as_warning_and_names_them() -> None:
    with reached_by(FakeHosts(Plan(stdout=WARNED)).connect):
        state = run(Access(inventory="db1,db2"), databases=[UNTESTED])
    assert (state.type, state.name) == (StateType.COMPLETED, "Warning")
    said = "pg_dump users on db1: untested: no CREATEDB; a\\x1b[2Jb: file changed"
    assert state.message == f"1 of 1 with a warning\n{said}"
    (row,) = table_of(state.state_details.flow_run_id)
    assert (row["state"], row["restore-tested"], row["path"]) == ("warning", "untested", "/backup/users.dump")
    (found,) = state.result()
    assert found.report
    assert found.report.untested == "x"


def test_warnings_are_counted_apart_from_failures() -> None:
    fake = FakeHosts(Plan(stdout=WARNED))
    fake.plan("echo half", Plan(rc=1, stderr="the command ended with 5\n"))
    fake.plan("echo x", Plan(stdout=REPORT))
    with reached_by(fake.connect):
        commands = [command("bad", "echo half; exit 5"), command("good", "echo x")]
        state = run(Access(inventory="db1,db2"), databases=[UNTESTED], commands=commands)
    with pytest.raises(HostsFailed) as caught:
        state.result()
    lines = [line for line in str(caught.value).splitlines() if not line.startswith(" ")]
    assert (lines[0], lines[2]) == ("1 of 3 failed", "1 of 3 with a warning")
    assert lines[1].startswith("command bad on db2: failed, rc 1")
    assert lines[3].startswith("pg_dump users on db1: untested")


def test_an_incomplete_backup_failed_and_is_shown_with_its_path() -> None:
    incomplete = REPORT.replace("end\n", "incomplete=yes\nend\n")
    with reached_by(FakeHosts(Plan(rc=1, stdout=incomplete, stderr="gone: Cannot stat\n")).connect):
        state = run(Access(inventory="db1,db2"), databases=[UNTESTED])
    assert state.is_failed()
    (row,) = table_of(state.state_details.flow_run_id)
    assert (row["state"], row["path"]) == ("failed", "/backup/users.dump")


def test_an_item_whose_hosts_are_not_known_is_named_with_its_pattern(bad_night: Night) -> None:
    with pytest.raises(HostsFailed, match="\ncommand lost on gone: "):
        bad_night.state.result()


def test_an_item_that_takes_too_long_is_ended_by_its_own_limit(bad_night: Night) -> None:
    with pytest.raises(HostsFailed, match="\ncommand slow on db2: timed_out, rc 143, TERM after 1m00s"):
        bad_night.state.result()


def test_an_item_that_succeeds_without_saying_so_in_full_did_not(bad_night: Night) -> None:
    with pytest.raises(HostsFailed, match="command mute on db2: .* succeeded without a whole report of its backup"):
        bad_night.state.result()


def test_each_job_has_the_jid_by_which_a_cancel_finds_it(bad_night: Night) -> None:
    run = str(bad_night.state.state_details.flow_run_id)
    items = [CommandItem(name=name, hosts="db2", command="x") for name in ("bad", "mute", "slow")]
    assert sorted(start.job.jid for start in bad_night.started if start.host == "db2") == [
        jid_of(item, run=run) for item in items
    ]


def test_a_poll_of_zero_seconds_is_refused_before_anything_is_started(access: Access, tmp_path: Path) -> None:
    plan = BackupPlan.model_validate({"commands": [command("thing", f"touch {tmp_path}/ran")]})
    with pytest.raises(ParameterTypeError, match="poll"):
        backup(access, plan, poll=0)
    assert not (tmp_path / "ran").exists()


def test_two_items_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="the name 'twice' is given twice"):
        BackupPlan.model_validate({"commands": [command("twice", "echo x"), command("twice", "echo y")]})


def test_a_backup_whose_copy_cannot_be_made_is_a_warning_and_local_only(access: Access) -> None:
    place = {"name": "offsite", "host": "nowhere", "encrypted": False}
    plan = {"commands": [command("x", "echo x")], "copies": [place], "directory": "uncopied", "min_free_mib": 0}
    state: RunState[list[Backup]] = backup(access, BackupPlan.model_validate(plan), poll=1, return_state=True)
    assert state.name == "Warning"
    (row,) = table_of(state.state_details.flow_run_id)
    assert (row["state"], row["copies"]) == ("warning", "local only")
    assert "not copied to offsite: 'nowhere' is not a host of the inventory" in str(row["reason"])
