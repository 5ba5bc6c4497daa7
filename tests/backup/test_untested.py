"""A good dump is kept although its restore test cannot be made: it is marked, and never taken for tested."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab.servers.postgres import Postgres
from remotejobs.model import Record, State
from remotejobs.operations.backup import PostgresItem, Retention, report_of
from remotejobs.operations.backup.item.script import scratch_database

Database = Callable[..., PostgresItem]
Back_up = Callable[..., Record]
Reader = dict[str, str]
ON_SERVER = {"restore_test": True, "restore_on": "server"}


def kept_untested(record: Record) -> str:
    """Why the backup was not tested. It is there, with its mark."""
    assert record.state is State.SUCCEEDED, record.stderr.decode()
    report = report_of(record)
    assert Path(report.path).read_bytes().startswith(b"PGDMP")
    assert not report.restore_tested
    assert not Path(f"{report.path}.restored").exists()
    assert Path(f"{report.path}.untested").read_text() == f"{report.untested}\n"
    assert report.warnings == (f"untested: {report.untested}",)
    return report.untested


def test_a_user_who_may_not_create_a_database_has_an_untested_backup(
    back_up: Back_up, database: Database, postgres: Postgres, reader: Reader
) -> None:
    why = kept_untested(back_up(database("orders", **ON_SERVER, **reader)))
    assert "permission denied to create database" in why
    assert "CREATEDB" in why
    assert scratch_database("here", "orders") not in postgres.query("SELECT string_agg(datname, ' ') FROM pg_database")


def test_a_server_that_only_reads_has_an_untested_backup(
    back_up: Back_up, database: Database, postgres: Postgres, reader: Reader
) -> None:
    # As a standby says it.
    postgres.query(f"ALTER ROLE {reader['user']} CREATEDB; ALTER ROLE {reader['user']} SET transaction_read_only = on")
    postgres.query(f"ALTER ROLE {reader['user']} SET default_transaction_read_only = on")
    assert "read-only transaction" in kept_untested(back_up(database("orders", **ON_SERVER, **reader)))


def test_an_extension_that_its_user_may_not_make_leaves_an_untested_backup(
    back_up: Back_up, database: Database, postgres: Postgres, reader: Reader
) -> None:
    postgres.query("CREATE DATABASE extended")
    postgres.query("CREATE EXTENSION file_fdw", "extended")
    postgres.query(f"ALTER ROLE {reader['user']} CREATEDB")
    why = kept_untested(back_up(database("extended", **ON_SERVER, **reader)))
    assert 'permission denied to create extension "file_fdw"' in why


def test_a_view_that_cannot_be_filled_while_it_is_restored_leaves_an_untested_backup(
    back_up: Back_up, database: Database, postgres: Postgres
) -> None:
    # While pg_restore fills it, names without a schema mean nothing.
    postgres.query("CREATE DATABASE views")
    postgres.query(
        "CREATE TABLE sold (n integer);"
        "CREATE FUNCTION all_sold() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM sold); END';"
        "CREATE MATERIALIZED VIEW total AS SELECT all_sold()",
        "views",
    )
    why = kept_untested(back_up(database("views", **ON_SERVER)))
    assert 'relation "sold" does not exist' in why
    assert scratch_database("here", "views") not in postgres.query("SELECT string_agg(datname, ' ') FROM pg_database")


def test_a_server_for_the_test_that_does_not_answer_leaves_an_untested_backup(
    back_up: Back_up, database: Database
) -> None:
    nobody = {"server": "127.0.0.1", "port": 1, "user": "x"}
    assert "Connection refused" in kept_untested(back_up(database("users", restore_test=True, restore_on=nobody)))


def test_rows_that_cannot_be_counted_do_not_keep_a_dump_from_being_made(
    back_up: Back_up, database: Database, tmp_path: Path
) -> None:
    # A psql that breaks before it dumps.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "psql").write_text("#!/bin/sh\necho 'psql: error: no counting today' >&2\nexit 3\n")
    (tmp_path / "bin" / "psql").chmod(0o755)
    record = back_up(database("users", restore_test=True), env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
    assert "the rows cannot be counted: psql: error: no counting today" in kept_untested(record)


def test_a_tested_backup_stays_while_later_ones_are_untested(
    back_up: Back_up, database: Database, directory: Path, reader: Reader
) -> None:
    directory.mkdir(mode=0o700)
    now = datetime.now(UTC)
    for night, mark in ((3, "restored"), (2, "untested"), (1, "untested")):
        name = f"orders-{(now - timedelta(days=night)).strftime('%Y%m%dT%H%M%SZ')}.dump"
        for suffix in ("", ".sha256", f".{mark}"):
            (directory / f"{name}{suffix}").write_text("old\n")
    kept_untested(back_up(database("orders", **ON_SERVER, **reader), retention=Retention(daily=1, weekly=0, monthly=0)))
    assert len(list(directory.glob("*.dump"))) == 2
    assert len(list(directory.glob("*.restored"))) == 1
    assert len(list(directory.glob("*.untested"))) == 1


def test_a_restore_that_takes_too_long_is_ended_and_its_backup_kept(
    back_up: Back_up, database: Database, postgres: Postgres
) -> None:
    postgres.query("CREATE DATABASE endless")
    # It sleeps everywhere but where the row is written first: there the setting is on.
    postgres.query(
        "CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE sql AS "
        "'SELECT pg_sleep(CASE WHEN current_setting(''test.fast'', true) = ''on'' THEN 0 ELSE 600 END) IS NOT NULL';"
        "CREATE TABLE one (n integer CHECK (slow(n))); SET test.fast = on; INSERT INTO one VALUES (1)",
        "endless",
    )
    record = back_up(database("endless", **ON_SERVER, restore_timeout=2))
    assert "it was ended after the 2 s of restore_timeout" in kept_untested(record)
    assert "remotejobs_restore" not in postgres.query("SELECT string_agg(datname, ' ') FROM pg_database")
