"""What keeps a backup from being read shows nothing of the backup: it is not marked as damaged, and not as tested."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, FilesItem, PostgresItem, SqliteItem, Verify, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.verify import verify_job, verify_report_of

Database = Callable[..., PostgresItem]
Back_up = Callable[..., Record]
Run = Callable[..., Record]
ITEM = CommandItem(name="thing", hosts="here", command="echo new", extension="txt")


@pytest.fixture
def verify(jobs: HostJobs, directory: Path, tmp_path: Path) -> Run:
    """Verifies with programs of one's own: their names, and what each does around the real one: "$real" "$@"."""

    def run(programs: dict[str, str], **settings: Any) -> Record:
        own, path = tmp_path / "own", os.environ["PATH"]
        own.mkdir()
        for name, text in programs.items():
            (own / name).write_text(f"#!/bin/sh\nreal=$(PATH='{path}' command -v {name})\n{text}\n")
            (own / name).chmod(0o755)
        wanted = Verify.model_validate({"directory": str(directory), "restore_reserve_mib": 0} | settings)
        job = replace(verify_job(wanted, jid=uuid4().hex), env={"PATH": f"{own}:{path}"})
        jobs.start(job)
        return jobs.record(job.jid, wait=60)

    return run


def assert_unread(record: Record, path: Path, why: str) -> None:
    """It failed, saying so, and the backup is as it was."""
    report = verify_report_of(record)
    assert record.state is State.FAILED
    assert (report.good, report.damaged, report.unread) == (0, 0, 1)
    assert f"{path.name} could not be read: {why}" in report.warnings[0]
    assert f"1 of 1 backups in {path.parent} could not be read" in record.stderr.decode()
    assert not Path(f"{path}.damaged").exists()


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("echo 'Input/output error' >&2; exit 1", "openssl dgst -sha256 -r: Input/output error"),
        ("kill -9 $$", "openssl dgst -sha256 -r: "),
    ],
)
def test_a_checksum_that_cannot_be_made_is_no_damage(back_up: Back_up, verify: Run, does: str, why: str) -> None:
    path = Path(report_of(back_up(ITEM)).path)
    of_backups = f'if [ -s /dev/stdin ]; then {does}; fi; exec "$real" "$@"'  # whether it works is tried on nothing
    assert_unread(verify({"openssl": of_backups}), path, why)


def test_a_checksum_file_that_is_empty_is_no_damage(back_up: Back_up, verify: Run) -> None:
    path = Path(report_of(back_up(ITEM)).path)
    Path(f"{path}.sha256").write_text("")
    assert_unread(verify({}), path, f"{path.name}.sha256 has no checksum")


@pytest.mark.parametrize(
    "does", ["kill -9 $$", "echo 'tar: stdout: write error' >&2; exit 2", "echo 'gzip: Cannot exec' >&2; exit 2"]
)
def test_a_tar_that_cannot_do_its_work_is_no_damage(back_up: Back_up, verify: Run, tmp_path: Path, does: str) -> None:
    (tmp_path / "f").write_text("x")
    path = Path(report_of(back_up(FilesItem(name="f", hosts="here", base=str(tmp_path), paths=("f",)))).path)
    assert_unread(verify({"tar": does}), path, "tar cannot read it: it ended with ")


def test_a_dump_of_a_newer_version_is_no_damage(back_up: Back_up, verify: Run, database: Database) -> None:
    path = Path(report_of(back_up(database("users"))).path)
    old = "echo 'pg_restore: error: unsupported version (1.99) in file header' >&2; exit 1"
    assert_unread(verify({"pg_restore": old}), path, "pg_restore cannot read it: it ended with 1: ")


def test_a_full_disk_is_no_damage_of_a_sqlite_database(back_up: Back_up, verify: Run, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db")) as app:
        app.execute("CREATE TABLE t (n)")
    path = Path(report_of(back_up(SqliteItem(name="app", hosts="here", path=str(tmp_path / "app.db")))).path)
    full = 'case $* in *integrity*) echo \'Error: database or disk is full\' >&2; exit 1 ;; esac; exec "$real" "$@"'
    assert_unread(verify({"sqlite3": full}), path, "its integrity_check says: it ended with 1: ")


def test_rows_that_a_full_disk_cut_off_are_no_damage_and_no_test(
    back_up: Back_up, verify: Run, database: Database
) -> None:
    path = Path(report_of(back_up(database("orders", restore_test=True))).path)
    Path(f"{path}.restored").unlink()
    # A psql that does not see it, as older ones.
    cut = 'case $* in *script*) "$real" "$@" | head -c 20 ;; *) exec "$real" "$@" ;; esac'
    report = verify_report_of(verify({"psql": cut}, restore_one_in=1))
    assert (report.good, report.damaged, report.restored) == (1, 0, 0)
    assert "the restored rows cannot be kept in " in report.warnings[0]
    assert not Path(f"{path}.restored").exists()


def test_what_was_restored_without_rows_to_compare_is_not_tested(
    back_up: Back_up, verify: Run, database: Database, shell: Shell, directory: Path
) -> None:
    back_up(database("users"))
    assert verify_report_of(verify({}, restore_one_in=1)).restored == 1
    (entry,) = backups_on(shell, str(directory))
    assert (entry.state, entry.verified and entry.verified["restored"]) == ("whole", True)


def test_rows_are_compared_where_there_is_no_cmp(back_up: Back_up, database: Database, tmp_path: Path) -> None:
    (tmp_path / "cmp").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "cmp").chmod(0o755)
    done = back_up(database("users", restore_test=True), env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert report_of(done).restore_tested
