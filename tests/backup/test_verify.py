"""Old backups are looked at again: what is damaged is marked and counts no more, and one in so many is restored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, FilesItem, PostgresItem, Retention, Verify, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.verify import VerifyReport, verify_job, verify_report_of

Database = Callable[..., PostgresItem]
Back_up = Callable[..., Record]
Run = Callable[..., Record]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]
OFF = Retention(mode="off")
ITEM = CommandItem(name="thing", hosts="here", command="echo new", extension="txt")


@pytest.fixture
def verify(jobs: HostJobs, directory: Path) -> Run:
    def run(*, interpreter: str = "sh", **settings: Any) -> Record:
        wanted = Verify.model_validate({"directory": str(directory), "restore_reserve_mib": 0} | settings)
        job = verify_job(wanted, jid=uuid4().hex)
        jobs.start(replace(job, interpreter=interpreter))
        return jobs.record(job.jid, wait=60)

    return run


def found(record: Record) -> VerifyReport:
    return verify_report_of(record)


@pytest.mark.parametrize("interpreter", SHELLS)
def test_what_is_whole_is_noted_with_its_time(
    interpreter: str, back_up: Back_up, verify: Run, tmp_path: Path, directory: Path, shell: Shell
) -> None:
    (tmp_path / "f").write_text("x")
    back_up(FilesItem(name="f", hosts="here", base=str(tmp_path), paths=("f",)))
    back_up(ITEM)
    done = verify(interpreter=interpreter)
    assert done.state is State.SUCCEEDED, done.stderr
    report = found(done)
    assert (report.good, report.damaged, report.restored, report.warnings) == (2, 0, 0, ())
    for entry in backups_on(shell, str(directory)):
        assert entry.verified and not entry.verified["restored"]


def test_a_damaged_backup_is_marked_and_never_counts_again(
    back_up: Back_up, verify: Run, directory: Path, shell: Shell
) -> None:
    path = Path(report_of(back_up(ITEM, retention=OFF)).path)
    content = path.read_text()
    path.write_text("odd\n")
    failed = verify()
    assert failed.state is State.FAILED
    assert "1 of 1 backups are damaged" in failed.stderr.decode()
    assert found(failed).damaged == 1
    (entry,) = backups_on(shell, str(directory))
    assert (entry.state, entry.good) == ("damaged", False)
    assert "its sha256 is" in entry.damaged
    assert report_of(back_up(ITEM, retention=OFF)).kept == 1
    # A disk that read badly once is believed again when it reads well.
    path.write_text(content)
    assert found(verify()).good == 2
    assert not Path(f"{path}.damaged").exists()


def test_an_archive_that_cannot_be_read_is_damaged_although_its_checksum_is_right(
    back_up: Back_up, verify: Run, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("x" * 10_000)
    path = Path(report_of(back_up(FilesItem(name="f", hosts="here", base=str(tmp_path), paths=("f",)))).path)
    path.write_bytes(path.read_bytes()[:-20])
    Path(f"{path}.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    Path(f"{path}.json").unlink()
    assert verify().state is State.FAILED
    assert Path(f"{path}.damaged").read_text().startswith("tar cannot read it: ")


def test_one_database_in_so_many_is_restored_and_its_rows_are_those_of_the_record(
    back_up: Back_up, verify: Run, database: Database, shell: Shell, directory: Path
) -> None:
    plain = Path(report_of(back_up(database("users"))).path)
    counted = Path(report_of(back_up(database("orders", restore_test=True))).path)
    report = found(verify(restore_one_in=1))
    assert (report.good, report.damaged, report.restored) == (2, 0, 2)
    assert not Path(f"{plain}.restored").exists(), "no rows were recorded to compare with"
    assert [entry.state for entry in sorted(backups_on(shell, str(directory)), key=lambda each: each.item)] == [
        "tested",
        "whole",
    ]
    assert found(verify(restore_one_in=2)).restored == 1
    record = json.loads(Path(f"{counted}.json").read_text())
    text = Path(f"{counted}.json").read_text()
    rows = record["rows"]["public.purchase"]
    Path(f"{counted}.json").write_text(text.replace(f'"public.purchase": {rows}', f'"public.purchase": {rows + 1}'))
    failed = verify(restore_one_in=1, item="orders")
    assert found(failed).damaged == 1
    assert "the rows differ" in Path(f"{counted}.damaged").read_text()


def test_where_there_is_no_room_a_backup_is_whole_and_a_warning_says_that_it_was_not_restored(
    back_up: Back_up, verify: Run, database: Database
) -> None:
    path = Path(report_of(back_up(database("users"))).path)
    report = found(verify(restore_one_in=1, restore_reserve_mib=1024**3))
    assert (report.good, report.restored) == (1, 0)
    assert report.warnings[0].startswith(f"untested: {path.name}: /var/tmp has ")


def test_a_host_without_backups_has_none_that_are_damaged(verify: Run, directory: Path) -> None:
    done = verify()
    assert done.state is State.SUCCEEDED
    assert (found(done).good, found(done).damaged) == (0, 0)
    assert not directory.exists()
