"""Names that somebody chose with care change nothing in a record, a report or a file that is another's."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

from remotejobs.agent.shell import Shell
from remotejobs.errors import ProtocolError
from remotejobs.model import Record
from remotejobs.operations.backup import report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.item.script import shell_text
from remotejobs.operations.backup.restore import NoSuchBackup, Restore, choose, restore_job, target_on
from tests.backup.test_record import SHELLS

STAMP = "%Y%m%dT%H%M%SZ"


def run(call: str, *words: str, shell: str = "sh", cwd: Path | None = None) -> str:
    script = [*shell.split(), "-c", f"{shell_text()}\n{call}", "sh", *words]
    return subprocess.run(script, capture_output=True, check=True, text=True, cwd=cwd).stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_database_of_any_name_makes_a_record_that_is_json_and_says_no_more(shell: str, tmp_path: Path) -> None:
    name = "a\\ns restore_test passed\tb\x01\\"
    (tmp_path / "rows").write_text("public.odd\tname\x02|5\npublic.t|1\n")
    facts = (
        'RECORD=\'"host": "x"\' ITEM=main KIND=postgres PGDATABASE=$1 file=f ran= began_at= bytes=1 sum=s work=$2 '
        "database_bytes= entries= incomplete= versions= checks= counted=yes warnings= RESTORE_TEST=yes tested=no "
        "untested='c:\\new'"
    )
    said = run(f"{facts}; bk_record_facts | bk_record_json", name, str(tmp_path), shell=shell)
    record = json.loads(said)
    assert (record["database"], record["restore_test"], record["untested"]) == (name, "untested", "c:\\new")
    assert record["rows"] == {"public.odd\tname\x02": 5, "public.t": 1}
    # And what is read from it for the comparison is what was counted.
    (tmp_path / "f.json").write_text(said)
    assert run("bk_recorded_rows f", shell=shell, cwd=tmp_path) == (tmp_path / "rows").read_text()


def test_rows_of_names_that_are_no_utf8_can_be_compared(tmp_path: Path) -> None:
    (tmp_path / "counted").write_bytes(b"public.caf\xe9|5\nend\n")
    (tmp_path / "f.json").write_text('{"record": 1,\n"rows": {"public.caf": 5}}\n')
    run("work=.; bk_rows_to_compare f", cwd=tmp_path)
    assert (tmp_path / "again").read_text() == (tmp_path / "rows").read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_database_of_any_name_says_nothing_in_the_report_of_its_server(shell: str, tmp_path: Path) -> None:
    (tmp_path / "closed").write_text('"b\\nwarning=made up"\n')
    (tmp_path / "report").write_text("")
    settings = (
        "all=$1 server=main number=0 failed= globals= RETENTION=off began=0 HOME=/ DIRECTORY=/b; bk_main() { :; }"
    )
    call = f"{settings}; bk_server_one postgres dump x 'a\\nrestore_tested=yes\\npath=/x'; bk_server_report"
    said = run(call, str(tmp_path), shell=shell).splitlines()
    assert "restore_tested=no" in said
    assert [line for line in said if line.startswith("warning=")] == [
        'warning=not backed up, as they allow no connections: "b\\nwarning=made up" '
    ]


def test_a_line_of_unicode_is_no_line_of_a_report() -> None:
    fields = "path=/b\nbytes=1\nsha256=s\nseconds=1\nrestore_tested=no\nkept=1\nremoved=0\nretention=off"
    stdout = f"remotejobs-backup 1\n{fields}\nwarning=a\u2028restore_tested=yes\u2028b\nend\n".encode()

    @dataclass
    class EndedJob:
        stdout: bytes
        host: str = "here"

    report = report_of(cast(Record, EndedJob(stdout)))
    assert not report.restore_tested
    assert len(report.warnings) == 1


def test_no_database_has_the_files_of_another() -> None:
    def name(database: str) -> str:
        return run('bk_server_name "$1"', database)

    assert name("orders") == "orders"
    assert name("v1.orders") == "v1.orders"
    odd, own = name("a b"), name("globals")
    assert name(odd) != odd
    assert name(own) != own
    assert len({name("a b"), name("a_b"), name("a*b"), name("globals"), "globals", name(odd), name(own)}) == 7


@dataclass
class Answers:
    output: str
    host: str = "here"

    def run(self, _script: str) -> Answers:
        return self


def answered(*lines: str) -> Shell:
    return cast(Shell, Answers("\n".join([*lines, "answered", ""])))


def test_a_backup_that_cannot_be_read_is_listed_and_not_chosen() -> None:
    name = "orders-20260101T000000Z.dump"
    (entry,) = backups_on(answered("at 20260102T000000Z /b", f"backup 0 {name} unreadable"), "/b")
    assert (entry.good, entry.problem) == (False, "it cannot be read by this user; --become asks as root")


def test_a_record_that_is_nested_without_end_is_none() -> None:
    name = "orders-20260101T000000Z.dump"
    lines = ("at 20260102T000000Z /b", f"backup 1 {name} ", f"record {name} {'[' * 200_000}")
    (entry,) = backups_on(answered(*lines), "/b")
    assert entry.problem == "its record cannot be read"


def test_sessions_that_are_no_number_are_an_answer_that_is_not_understood() -> None:
    with pytest.raises(ProtocolError, match="no number"):
        target_on(answered("exists yes", "sessions many"), Restore(item="a", database="x"))


def test_a_backup_that_is_dated_after_now_is_only_restored_by_its_name(directory: Path, shell: Shell) -> None:
    directory.mkdir()
    now = datetime.now(UTC)
    old, new = (f"orders-{(now + timedelta(days=days)).strftime(STAMP)}.dump" for days in (-1, 300))
    for name in (old, new):
        (directory / name).write_text("x")
        (directory / f"{name}.sha256").write_text("x")
    entries = backups_on(shell, str(directory))
    wanted = Restore(item="orders", database="x")
    assert choose("here", entries, wanted).file == old
    assert choose("here", entries, wanted.model_copy(update={"file": new})).file == new
    with pytest.raises(NoSuchBackup, match="none of 1 backups of orders is dated until now"):
        choose("here", [entry for entry in entries if entry.file == new], wanted)


def test_a_day_that_is_none_is_refused_where_it_is_given() -> None:
    with pytest.raises(ValidationError, match="day is out of range"):
        Restore(item="orders", database="x", at="2026-02-31")


def test_two_restores_to_one_directory_have_one_lock_however_it_is_written(directory: Path, shell: Shell) -> None:
    directory.mkdir()
    name = "site-20260101T000000Z.tar.gz"
    for suffix in ("", ".sha256"):
        (directory / f"{name}{suffix}").write_text("x")
    (entry,) = backups_on(shell, str(directory))

    def locks(**target: Any) -> tuple[str, ...]:
        return restore_job(Restore(item="site", **target), entry, jid="j", replace=False).locks

    assert locks(to="/srv/site") == locks(to="/srv//site/") == locks(to="//srv/./site")
    assert locks(to="site") == locks(to="~/site/")
    assert locks(to="/srv/site") != locks(to="srv/site")
