"""Databases of MariaDB: saved in one snapshot, restored for a test, and restored under a new name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lab.servers.mariadb import Mariadb
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import MariadbItem, Verify, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.restore import Restore, TargetUnknown, target_on
from remotejobs.operations.backup.verify import verify_job

Back_up = Callable[..., Record]
Run = Callable[..., Record]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]
ROWS = {"item": 1000, "odd`name": 1}


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mariadb]:
    with Mariadb(tmp_path_factory.mktemp("mariadb")) as server:
        server.query("CREATE DATABASE `it's shop`")
        server.query("CREATE TABLE item (n INT PRIMARY KEY, b BLOB) ENGINE = InnoDB", "it's shop")
        server.query("INSERT INTO item SELECT seq, UNHEX(SHA2(seq, 512)) FROM seq_1_to_1000", "it's shop")
        server.query("CREATE TABLE `odd``name` (n INT); INSERT INTO `odd``name` VALUES (1)", "it's shop")
        server.query("CREATE VIEW seen AS SELECT n FROM item", "it's shop")
        server.query("CREATE PROCEDURE nothing() SELECT 1", "it's shop")
        yield server


@pytest.fixture
def item(mariadb: Mariadb) -> Callable[..., MariadbItem]:
    def make(**others: Any) -> MariadbItem:
        given = {"name": "shop", "hosts": "here", "database": "it's shop", "restore_reserve_mib": 0}
        reached = {
            "server": mariadb.host,
            "port": mariadb.port,
            "user": mariadb.user,
            "passfile": str(mariadb.option_file),
        }
        return MariadbItem.model_validate(given | reached | others)

    return make


@pytest.mark.parametrize("interpreter", SHELLS)
def test_a_database_is_saved_with_its_routines_and_no_password_is_in_the_command(
    interpreter: str, back_up: Back_up, item: Callable[..., MariadbItem], directory: Path, shell: Shell
) -> None:
    record = back_up(item(), interpreter=interpreter)
    assert record.state is State.SUCCEEDED, record.stderr
    assert report_of(record).warnings == ()
    (entry,) = backups_on(shell, str(directory))
    assert entry.record and (entry.kind, entry.record["entries"], entry.record["database"]) == (
        "mariadb",
        2,
        "it's shop",
    )
    assert "--single-transaction" in entry.record["command"] and "password=lab" not in record.cmd
    assert entry.file.endswith(".sql.gz")


def test_the_restore_test_loads_it_into_a_throw_away_server_and_the_restore_compares_with_it(
    back_up: Back_up,
    item: Callable[..., MariadbItem],
    mariadb: Mariadb,
    directory: Path,
    shell: Shell,
    restore: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")  # a path that is short enough for a socket
    for each in (scratch, *scratch.parents):  # the server's user has to reach it
        if not each.stat().st_mode & 0o001:
            each.chmod(0o755)
    record = back_up(item(restore_test=True, restore_directory=str(scratch)))
    assert record.state is State.SUCCEEDED, record.stderr
    assert report_of(record).restore_tested, record.stdout.decode()
    assert not [*scratch.iterdir()]
    (entry,) = backups_on(shell, str(directory), file=Path(report_of(record).path).name)
    assert (entry.state, entry.rows) == ("tested", ROWS)
    reached = {"server": str(mariadb.socket), "user": "root"}
    record = restore("shop", database="back", **reached)
    assert record.state is State.SUCCEEDED, record.stderr
    assert b"counts=2 tables, 1001 rows" in record.stdout
    assert (
        mariadb.query("CHECKSUM TABLE item", "back").split()[-1]
        == mariadb.query("CHECKSUM TABLE item", "it's shop").split()[-1]
    )
    assert mariadb.query("SELECT COUNT(*) FROM seen; CALL nothing()", "back").split() == ["1000", "1"]
    again = restore("shop", database="back", replace_it=True, **reached)
    assert again.state is State.FAILED and b"holds tables, and nothing renames a database here" in again.stderr
    mariadb.query("CREATE TABLE remotejobs_restoring (a INT)", "back")
    assert restore("shop", database="back", **reached).state is State.SUCCEEDED
    with pytest.raises(TargetUnknown, match="restore to another name"):
        target_on(shell, Restore.model_validate({"item": "shop", "database": "back", **reached}), "mariadb")
    mariadb.query("DROP DATABASE back")


def test_a_dump_that_was_cut_is_damaged_although_it_would_load(
    back_up: Back_up, item: Callable[..., MariadbItem], directory: Path, jobs: HostJobs, tmp_path: Path
) -> None:
    fake = tmp_path / "bin" / "mariadb-dump"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\n/usr/bin/mariadb-dump "$@" | grep -v "Dump completed"\n')
    fake.chmod(0o755)
    record = back_up(item(), env={"PATH": f"{fake.parent}:/usr/bin:/bin"})
    assert record.state is State.FAILED and b"failed at step check: its end is missing" in record.stderr
    path = Path(report_of(back_up(item())).path)
    job = verify_job(Verify(directory=str(directory)), jid=uuid4().hex)
    jobs.start(replace(job, interpreter="busybox sh"))
    assert jobs.record(job.jid, wait=60).state is State.SUCCEEDED
    assert Path(f"{path}.verified").exists()


def test_a_table_without_snapshots_is_named(
    back_up: Back_up, item: Callable[..., MariadbItem], mariadb: Mariadb
) -> None:
    mariadb.query("CREATE TABLE aged (n INT) ENGINE = Aria", "it's shop")
    (warning,) = report_of(back_up(item())).warnings
    mariadb.query("DROP TABLE aged", "it's shop")
    assert warning == "these tables have no snapshots, and may be of another moment than the rest: aged"


def test_a_database_that_is_not_there_is_a_failure(
    back_up: Back_up, item: Callable[..., MariadbItem], directory: Path
) -> None:
    record = back_up(item(database="nowhere"))
    assert record.state is State.FAILED and b"Unknown database 'nowhere'" in record.stderr
    assert not list(directory.glob("shop-*"))
