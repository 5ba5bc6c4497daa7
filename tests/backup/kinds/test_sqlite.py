"""SQLite databases are saved whole while others use them, and what is no whole database is no backup."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import SqliteItem, Verify, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.verify import verify_job

Back_up = Callable[..., Record]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A database with a write-ahead log."""
    path = tmp_path / "app's data.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute('CREATE TABLE "odd ""name" (n)')
        connection.execute("CREATE TABLE note (text)")
        connection.executemany("INSERT INTO note VALUES (?)", [(str(n) * 500,) for n in range(100)])
        connection.commit()
    return path


@pytest.fixture
def in_use(source: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who has written, and whose last row is in the write-ahead log alone."""
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("INSERT INTO note VALUES ('in the log')")
        yield connection


def item(path: Path, busy_timeout: int = 60) -> SqliteItem:
    return SqliteItem(name="app", hosts="here", path=str(path), busy_timeout=busy_timeout)


def failed(record: Record, directory: Path) -> str:
    assert record.state is State.FAILED
    assert not list(directory.glob("app-*"))
    return record.stderr.decode()


@pytest.mark.parametrize("interpreter", SHELLS)
def test_a_database_in_use_is_saved_whole_with_the_rows_of_its_tables(
    interpreter: str, back_up: Back_up, source: Path, in_use: sqlite3.Connection, directory: Path, shell: Shell
) -> None:
    in_use.execute("BEGIN IMMEDIATE")
    in_use.execute("INSERT INTO note VALUES ('not yet committed')")
    record = back_up(item(source), interpreter=interpreter)
    assert record.state is State.SUCCEEDED, record.stderr
    path = Path(report_of(record).path)
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as copy:
        assert copy.execute("SELECT count(*) FROM note").fetchone() == (101,)
    (entry,) = backups_on(shell, str(directory), file=path.name)
    assert (entry.kind, entry.rows) == ("sqlite", {"note": 101, 'odd "name': 0})
    assert entry.record and entry.record["checks"][-1] == "PRAGMA integrity_check: ok"
    assert {each.name for each in directory.glob("app-*")} == {path.name, f"{path.name}.sha256", f"{path.name}.json"}


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_that_is_written_to_all_the_time_is_saved_all_the_same(
    mode: str, back_up: Back_up, source: Path, directory: Path
) -> None:
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE large AS SELECT zeroblob(1000000) AS content FROM note")
    written, over = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(source, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = off")
            while not over.wait(0.001):
                connection.execute("INSERT INTO note VALUES ('one more')")
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(60)
        record = back_up(item(source, busy_timeout=5))
        still = writer.is_alive()
    finally:
        over.set()
        writer.join()
    assert record.state is State.SUCCEEDED, record.stderr
    assert still
    with closing(sqlite3.connect(f"file:{report_of(record).path}?immutable=1", uri=True)) as copy:
        assert copy.execute("SELECT count(*) FROM large").fetchone() == (100,)


def test_a_database_that_somebody_has_to_himself_is_waited_for_and_then_a_failure(
    back_up: Back_up, source: Path, directory: Path
) -> None:
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = delete")
        connection.execute("BEGIN EXCLUSIVE")
        said = failed(back_up(item(source, busy_timeout=1)), directory)
    assert "locked" in said
    assert "failed at step dump: sqlite3 ended with 5" in said


def test_a_damaged_database_is_no_backup(back_up: Back_up, source: Path, directory: Path) -> None:
    content = bytearray(source.read_bytes())
    content[3 * 4096 : 5 * 4096] = b"\xff" * 8192
    source.write_bytes(content)
    assert "failed at step" in failed(back_up(item(source)), directory)


@pytest.mark.parametrize(("content", "why"), [(None, "is not there, or is empty"), ("text\n", "is no SQLite database")])
def test_what_is_no_database_is_named(
    content: str | None, why: str, back_up: Back_up, tmp_path: Path, directory: Path
) -> None:
    path = tmp_path / "other.db"
    if content:
        path.write_text(content)
    assert f"{path} {why}" in failed(back_up(item(path)), directory)
    assert path.exists() is bool(content)


def test_a_verification_asks_for_its_integrity_again(
    back_up: Back_up, source: Path, jobs: HostJobs, directory: Path
) -> None:
    path = Path(report_of(back_up(item(source))).path)
    job = verify_job(Verify(directory=str(directory)), jid=uuid4().hex)
    jobs.start(replace(job, interpreter="busybox sh"))
    record = jobs.record(job.jid, wait=60)
    assert record.state is State.SUCCEEDED, record.stderr
    assert not list(directory.glob("*-wal")) and Path(f"{path}.verified").exists()
