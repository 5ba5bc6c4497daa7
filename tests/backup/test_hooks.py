"""What surrounds a backup: the plan's own commands, the hours in which it may begin, and how gently it runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, PostgresItem, ServerItem, report_of
from tests.awaiting import await_true

Back_up = Callable[..., Record]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def item(log: Path, command: str, before: str = "true", after: str = "true") -> CommandItem:
    return CommandItem(
        name="x",
        hosts="here",
        command=f"echo dump >>{log}; {command}",
        before=(f"echo before $BACKUP_ITEM >>{log}", before),
        after=(f"echo after $BACKUP_STATE >>{log}", after),
    )


@pytest.mark.parametrize("interpreter", SHELLS)
def test_commands_run_before_the_dump_and_as_soon_as_it_is_made(interpreter: str, back_up: Back_up, log: Path) -> None:
    record = back_up(item(log, "echo x"), interpreter=interpreter)
    assert (record.state, report_of(record).warnings) == (State.SUCCEEDED, ()), record.stderr
    assert log.read_text().split("\n") == ["before x", "dump", "after made", ""]
    said = record.stdout.decode()
    assert said.index("after: ") < said.index("check: ")


@pytest.mark.parametrize(("command", "before"), [("exit 4", "true"), ("echo x", "false")])
def test_the_commands_after_run_also_where_the_dump_or_a_command_before_it_fails(
    command: str, before: str, back_up: Back_up, log: Path, directory: Path
) -> None:
    record = back_up(item(log, command, before=before))
    assert record.state is State.FAILED
    if before == "false":
        assert b"failed at step preflight: the command before it ended with 1: false" in record.stderr
    assert log.read_text().split("\n")[-2] == "after failed"
    assert not list(directory.glob("x-*"))


def test_a_command_after_it_that_fails_is_a_warning_and_the_backup_stays(back_up: Back_up, log: Path) -> None:
    record = back_up(item(log, "echo x", after="exit 9"))
    assert record.state is State.SUCCEEDED
    report = report_of(record)
    assert report.warnings == ("the command after it ended with 9: exit 9",)
    assert Path(report.path).exists()


def test_a_job_that_is_killed_during_the_dump_runs_them_too(
    begin: Callable[..., str], jobs: HostJobs, log: Path
) -> None:
    jid = begin(item(log, "sleep 600"))
    await_true(lambda: log.exists() and "dump" in log.read_text())
    assert jobs.kill(jid).state is State.KILLED
    assert log.read_text().endswith("after failed\n")


def test_they_surround_all_databases_of_a_server_once(
    back_up: Back_up, database: Callable[..., PostgresItem], log: Path
) -> None:
    given = database("postgres").model_dump(exclude={"name", "database", "restore_on"})
    hooks = {"before": (f"echo before >>{log}",), "after": (f"echo after $BACKUP_STATE >>{log}; false",)}
    record = back_up(ServerItem.model_validate({**given, "name": "all", "exclude": ("orders", "analytics"), **hooks}))
    assert record.state is State.SUCCEEDED, record.stderr
    assert log.read_text() == "before\nafter made\n"
    assert any("the command after it ended with 1" in warning for warning in report_of(record).warnings)


def test_nothing_begins_outside_the_window(back_up: Back_up, directory: Path) -> None:
    now = datetime.now().astimezone()

    def window(begin: int, end: int) -> str:
        return "-".join(f"{now + timedelta(hours=hours):%H:%M}" for hours in (begin, end))

    x = CommandItem(name="x", hosts="here", command="echo x")
    assert back_up(x, window=window(-2, 2)).state is State.SUCCEEDED
    record = back_up(x, window=window(2, 20))
    assert record.state is State.FAILED and b"outside the window" in record.stderr


def test_it_gives_way_to_others(back_up: Back_up) -> None:
    x = CommandItem(name="x", hosts="here", command="nice; ionice")
    record = back_up(x, nice=7, io="idle")
    assert record.state is State.SUCCEEDED, record.stderr
    assert Path(report_of(record).path).read_text().split() == ["7", "idle"]


def test_they_hear_of_a_server_of_which_not_all_was_made(
    back_up: Back_up, database: Callable[..., PostgresItem], log: Path
) -> None:
    given = database("postgres").model_dump(exclude={"name", "database", "restore_on"})
    hooks = {"after": (f"echo after $BACKUP_STATE >>{log}",), "min_bytes": 10**12}
    record = back_up(ServerItem.model_validate({**given, "name": "all", "exclude": ("orders", "analytics"), **hooks}))
    assert record.state is State.FAILED
    assert log.read_text() == "after failed\n"


@pytest.mark.parametrize("command", ["exit 4", "echo x"])
def test_what_limits_a_dump_on_a_full_disk_does_not_limit_them(command: str, back_up: Back_up, log: Path) -> None:
    last = Path(report_of(back_up(item(log, "echo x"))).path)
    os.truncate(last, 2 * shutil.disk_usage(last).free)  # a hole, and so a backup that would not fit again
    record = back_up(item(log, f"ulimit -f >>{log}; {command}", after=f"ulimit -f >>{log}"))
    assert b"are written" in record.stdout
    *_, inside, _, after = log.read_text().split("\n")[:-1]
    assert inside.isdigit() and after == "unlimited"
