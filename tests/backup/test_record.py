"""Beside each backup lies its record, and the catalogue of a host is read from what lies there."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.servers.postgres import Postgres
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, FilesItem, PostgresItem, Retention, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.item.script import shell_text
from remotejobs.operations.backup.texts import texts
from tests.awaiting import await_true

Database = Callable[..., PostgresItem]
Back_up = Callable[..., Record]
Begin = Callable[..., str]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]
ITEM = CommandItem(name="thing", hosts="here", command="printf 'a\\tb' | cat", extension="txt", check="grep -q 'a'")


def written(record: Record) -> dict[str, Any]:
    assert record.state is State.SUCCEEDED, record.stderr.decode()
    found = json.loads(Path(f"{report_of(record).path}.json").read_text())
    assert isinstance(found, dict)
    return found


def test_the_record_of_a_tested_database_has_versions_checks_and_the_rows_of_every_table(
    back_up: Back_up, database: Database, postgres: Postgres
) -> None:
    done = back_up(database("orders", restore_test=True), name="nightly")
    record, report = written(done), report_of(done)
    server = postgres.query("SHOW server_version").split()[0]
    assert record["record"] == 1
    assert (record["host"], record["item"], record["kind"]) == ("here", "orders", "postgres")
    assert (record["plan"], record["jid"], record["database"]) == ("plan nightly", done.jid, "orders")
    assert (record["file"], record["bytes"]) == (Path(report.path).name, report.bytes)
    assert (record["sha256"], record["complete"], record["command"]) == (report.sha256, True, "pg_dump -w -Fc")
    assert record["began"] <= record["ended"]
    assert [version.split()[:2] for version in record["versions"]] == [["server", server], ["pg_dump", server]]
    assert record["checks"] == ["at least 1 bytes", "pg_restore --list", "pg_restore: all data read"]
    assert (record["restore_test"], record["restored_on"], record["warnings"]) == ("passed", "cluster", [])
    count = int(postgres.query("SELECT count(*) FROM purchase", "orders"))
    assert record["rows"]["public.purchase"] == count


def test_the_record_says_that_no_restore_test_was_asked_for(back_up: Back_up, database: Database) -> None:
    record = written(back_up(database("users")))
    assert record["restore_test"] == "not asked"
    assert "rows" not in record


def test_the_record_says_why_there_was_no_restore_test_and_keeps_the_rows(back_up: Back_up, database: Database) -> None:
    nobody = {"server": "127.0.0.1", "port": 1, "user": "x"}
    record = written(back_up(database("users", restore_test=True, restore_on=nobody)))
    assert record["restore_test"] == "untested"
    assert "Connection refused" in record["untested"]
    assert record["warnings"] == [f"untested: {record['untested']}"]
    assert record["rows"]


@pytest.mark.parametrize("shell", SHELLS)
def test_any_shell_and_any_words_make_a_record_that_is_json(shell: str, back_up: Back_up, tmp_path: Path) -> None:
    odd = 'x "quoted" \\ back\\slash é'
    (tmp_path / odd).mkdir()
    (tmp_path / odd / "file").write_text("x")
    item = FilesItem(name="odd", hosts="here", base=str(tmp_path), paths=(odd,))
    record = written(back_up(item, interpreter=shell))
    assert record["paths"] == [odd]
    assert record["command"].endswith(f"-C {tmp_path} {odd}")
    assert (record["entries"], record["checks"][-1]) == (2, "tar -t: 2 entries")


@pytest.mark.parametrize("programs", ["with iconv", "without"])
def test_what_is_no_utf8_does_not_spoil_the_record(programs: str, tmp_path: Path) -> None:
    for name in ("awk", "tr"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    path = str(tmp_path) if programs == "without" else os.environ["PATH"]
    said = 'RECORD=\'"item": "x"\'; printf \'s untested caf\\351 "here"\\n\' | bk_utf8 | bk_record_json'
    script = f"{shell_text()}\n{said}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, env={"PATH": path})
    record = json.loads(done.stdout)
    assert record["untested"] in ('caf "here"', 'caf? "here"')


def test_a_record_of_the_backup_is_there_while_its_restore_test_runs(
    jobs: HostJobs, begin: Begin, database: Database, directory: Path, tmp_path: Path
) -> None:
    # A psql that waits when it is asked for its version, before the throw-away server is made.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "psql").write_text(
        f'#!/bin/sh\ncase "$*" in *server_version_num*) until [ -e {tmp_path}/go ]; do sleep 0.1; done ;; esac\n'
        'exec /usr/bin/psql "$@"\n'
    )
    (tmp_path / "bin" / "psql").chmod(0o755)
    jid = begin(database("users", restore_test=True), env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
    await_true(lambda: bool(list(directory.glob("users-*.dump"))))
    (path,) = directory.glob("*.json")
    assert json.loads(path.read_text())["untested"] == "the restore test has not ended"
    (tmp_path / "go").touch()
    assert jobs.record(jid, wait=60).state is State.SUCCEEDED
    assert json.loads(path.read_text())["restore_test"] == "passed"


def test_a_backup_that_goes_takes_its_record_along(back_up: Back_up, directory: Path) -> None:
    for _ in range(2):
        back_up(ITEM, retention=Retention(daily=1, weekly=0, monthly=0))
    assert len(list(directory.glob("*.json"))) == len(list(directory.glob("*.txt"))) == 1


def test_a_failed_backup_leaves_no_record(back_up: Back_up, directory: Path) -> None:
    assert back_up(ITEM.model_copy(update={"check": "false"})).state is State.FAILED
    assert not list(directory.glob("*.json*"))


def test_the_catalogue_lists_the_newest_first_with_what_is_known_of_each(
    back_up: Back_up, database: Database, directory: Path, shell: Shell
) -> None:
    assert backups_on(shell, str(directory)) == ()
    tested = report_of(back_up(database("orders", restore_test=True)))
    plain = report_of(back_up(ITEM, retention=Retention(mode="off")))
    old = directory / "thing-20200101T000000Z.txt"
    old.write_text("old")
    Path(f"{old}.sha256").write_text("sum\n")
    (directory / "thing-20200102T000000Z.txt.part").write_text("half")
    found = backups_on(shell, str(directory))
    assert [entry.path for entry in found[-1:]] == [str(old)]
    assert {entry.path: entry.state for entry in found} == {
        tested.path: "tested",
        plain.path: "whole",
        str(old): "whole",
    }
    by_path = {entry.path: entry for entry in found}
    assert by_path[str(old)].record is None
    assert by_path[str(old)].age > 6 * 365 * 86400
    assert by_path[tested.path].bytes == tested.bytes
    assert by_path[tested.path].record
    assert by_path[tested.path].rows is None  # too many for a list
    (one,) = backups_on(shell, str(directory), file=Path(tested.path).name)
    assert one.rows and one.rows["public.purchase"] > 0


def test_a_file_that_is_not_what_its_record_says_is_not_good(back_up: Back_up, directory: Path, shell: Shell) -> None:
    path = Path(report_of(back_up(ITEM)).path)
    path.write_text("something else")
    (found,) = backups_on(shell, str(directory))
    assert (found.state, found.good) == ("mismatch", False)
    assert found.problem == "it has 14 bytes, and its record says 3"


@pytest.mark.parametrize("interpreter", SHELLS)
def test_any_shell_lists(interpreter: str, back_up: Back_up, directory: Path) -> None:
    back_up(ITEM)
    script = "\n".join(
        [texts(("item/place.sh", "catalogue/catalogue.sh")), shlex.join(["ct_list", str(directory), ""])]
    )
    done = subprocess.run([*interpreter.split(), "-c", script], capture_output=True, text=True, check=True)
    assert not done.stderr
    kinds = [line.split()[0] for line in done.stdout.splitlines()]
    assert kinds == ["at", "backup", "record"]
