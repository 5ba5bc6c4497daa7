"""Formats and options of pg_dump: each is checked, restored for a test and restored elsewhere by its own format."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lab.servers.postgres import Postgres
from remotejobs.model import Record, State
from remotejobs.operations.backup import PostgresItem, ServerItem, report_of
from remotejobs.operations.backup.item.script import job_of, shell_text
from remotejobs.operations.backup.verify import Verify, verify_job
from tests.awaiting import await_true
from tests.backup.conftest import databases_of, plan_of

Back_up = Callable[..., Record]
Run = Callable[..., Record]
Database = Callable[..., PostgresItem]
# A verification has no roles to load: psql, unlike pg_restore, cannot leave out who owns what.
FORMATS = [{"format": "directory", "jobs": 2}, {"format": "plain", "options": ["--no-owner", "--no-privileges"]}]
PURCHASES = "SELECT count(*), sum(cents) FROM purchase"


def said(record: Record) -> str:
    return (record.stdout + record.stderr).decode()


@pytest.mark.parametrize("form", FORMATS, ids=["directory", "plain"])
def test_every_format_is_tested_verified_and_restored(
    form: dict[str, Any],
    back_up: Back_up,
    restore: Run,
    database: Database,
    postgres: Postgres,
    directory: Path,
    jobs: Any,
) -> None:
    record = back_up(database("orders", restore_test=True, **form))
    report = report_of(record)
    assert report.restore_tested, said(record)
    described = json.loads(Path(f"{report.path}.json").read_text())
    assert described["versions"][0].startswith("server 1")
    assert {path.suffix for path in directory.iterdir()} <= {".tar", ".gz", ".sha256", ".json", ".restored", ".plan"}
    verify = Verify(directory=str(directory), restore_one_in=1, restore_reserve_mib=0)
    jobs.start(verify_job(verify, jid="verify"))
    verified = jobs.record("verify", wait=60)
    assert b"good=1\n" in verified.stdout and b"restored=1\n" in verified.stdout, said(verified)
    where = {"server": postgres.host, "port": postgres.port, "user": postgres.user, "passfile": str(postgres.passfile)}
    done = restore("orders", database="again", jobs=2, **where)
    assert done.state is State.SUCCEEDED, said(done)
    assert postgres.query(PURCHASES, "again") == postgres.query(PURCHASES, "orders")
    assert not list(directory.glob(".unpacked*"))


def test_a_plain_dump_is_tested_with_its_owners(back_up: Back_up, database: Database, postgres: Postgres) -> None:
    postgres.query("CREATE ROLE appuser")
    postgres.query("CREATE DATABASE owned")
    postgres.query("CREATE TABLE t AS SELECT 1 AS n; ALTER TABLE t OWNER TO appuser", "owned")
    record = back_up(database("owned", format="plain", restore_test=True))
    assert report_of(record).restore_tested, said(record)


def test_a_plain_dump_that_is_cut_off_is_detected(tmp_path: Path) -> None:
    # psql loads it without an error, and half of the rows are there.
    part = tmp_path / "cut.part"
    part.write_bytes(gzip.compress(b"--\n-- PostgreSQL database dump\n--\nCOPY a (n) FROM stdin;\n1\n"))
    check = f"{shell_text()}\nITEM=orders FORMAT=plain step=check part=$1 work=$2\nbk_postgres_check"
    done = subprocess.run(["sh", "-c", check, "sh", part, tmp_path], capture_output=True, text=True)
    assert (done.returncode, "its end is missing" in done.stderr) == (1, True)


@pytest.mark.parametrize("broken", ["rm $part.d/toc.dat", "echo more >>$part.d/toc.dat"])
def test_a_directory_of_which_something_else_is_packed_is_detected(broken: str, tmp_path: Path) -> None:
    there = tmp_path / "x.part.d"
    there.mkdir()
    for name in ("toc.dat", "1.dat.gz"):
        (there / name).write_text(name)
    pack = f'tar -cf "$part" -C "$part.d" . && {broken}; entries=3; [ -e "$part.d/toc.dat" ] || entries=2'
    check = f"{shell_text()}\nITEM=orders FORMAT=directory step=check part=$1 work=$2\n{pack}\nbk_postgres_check"
    done = subprocess.run(["sh", "-c", check, "sh", tmp_path / "x.part", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "failed at step check" in done.stderr


def test_tables_may_be_saved_without_their_rows(back_up: Back_up, database: Database, postgres: Postgres) -> None:
    postgres.query("CREATE DATABASE logged")
    postgres.query(
        'CREATE TABLE log_1 AS SELECT 1; CREATE TABLE "Log 2" AS SELECT 1; CREATE TABLE kept AS SELECT 1', "logged"
    )
    left_out = ("public.log_*", 'public."Log 2"', "nosuch")
    record = back_up(database("logged", restore_test=True, exclude_table_data=left_out))
    report = report_of(record)
    assert report.restore_tested, said(record)
    assert report.warnings == ("exclude_table_data: no table matches nosuch",)
    rows = json.loads(Path(f"{report.path}.json").read_text())["rows"]
    assert rows == {"public.Log 2": 0, "public.kept": 1, "public.log_1": 0}


def test_an_option_that_names_a_table_that_is_not_there_is_a_failure(back_up: Back_up, database: Database) -> None:
    record = back_up(database("orders", options=("--table=nosuch",)))
    assert record.state is State.FAILED
    assert "no matching tables were found" in said(record)


@contextmanager
def locked(postgres: Postgres, database: str, table: str) -> Iterator[None]:
    """A session that has the table to itself."""
    env = {**os.environ, **postgres.environment}
    sql = f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
    session = subprocess.Popen(["psql", "-qX", "-d", database, "-c", sql], env=env, stderr=subprocess.DEVNULL)
    held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE 'BEGIN; LOCK%'"
    try:
        await_true(lambda: postgres.query(held) == "1")
        yield
    finally:
        postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'")
        session.wait()


@pytest.mark.parametrize(("restore_test", "why"), [(False, "statement timeout"), (True, "lock timeout")])
def test_a_table_that_somebody_has_locked_is_waited_for_only_so_long(
    restore_test: bool, why: str, back_up: Back_up, database: Database, postgres: Postgres
) -> None:
    postgres.query("CREATE DATABASE held")
    postgres.query("CREATE TABLE t AS SELECT 1 AS n", "held")
    with locked(postgres, "held", "t"):
        record = back_up(database("held", lock_timeout=1, restore_test=restore_test))
    assert record.state is State.FAILED
    assert why in said(record)


def test_a_service_says_which_server_it_is_and_may_not_say_another_database(
    back_up: Back_up, postgres: Postgres, tmp_path: Path, begin: Callable[..., str], jobs: Any
) -> None:
    file = tmp_path / "pg_service.conf"
    where = f"[lab]\nhost={postgres.host}\nport={postgres.port}\nuser={postgres.user}\npassfile={postgres.passfile}\n"
    item = PostgresItem(name="orders", hosts="here", database="orders", service="lab", options=("--no-comments",))
    file.write_text(where)
    record = back_up(item, env={"PGSERVICEFILE": str(file)})
    assert record.state is State.SUCCEEDED, said(record)
    described = json.loads(Path(f"{report_of(record).path}.json").read_text())
    assert described["command"] == "pg_dump -w -Fc --no-comments"
    file.write_text(f"{where}dbname=users\n")
    record = back_up(item, env={"PGSERVICEFILE": str(file)})
    assert "the service lab leads to the database users, and not to orders" in said(record)


def test_a_server_without_encryption_is_refused_where_the_item_asks_for_it(
    back_up: Back_up, database: Database
) -> None:
    record = back_up(database("orders", sslmode="require"))
    assert record.state is State.FAILED
    assert "server does not support SSL" in said(record)


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ({"jobs": 2}, "jobs: pg_dump writes format: custom one table at a time; say format: directory"),
        ({"service": "lab", "server": "db1"}, "service: 'lab' says server too"),
        ({"service": "lab", "port": 5433}, "service: 'lab' says port too"),
        ({"sslmode": "verify-full"}, "sslmode: verify-full cannot be had on a socket"),
        (
            {"server": "db1", "sslmode": "require", "sslrootcert": "/etc/db.pem"},
            "sslrootcert: only sslmode verify-ca and verify-full",
        ),
        ({"sslmode": "require", "server": "/run/postgresql"}, "sslmode: require cannot be had on a socket"),
        ({"options": ["-Fd"]}, "is not a long option in one word"),
        ({"options": ["--file=/x"]}, "--file is what the item decides; say it by directory"),
        ({"options": ["--fi=/x"]}, "--file is what the item decides"),
        ({"options": ["--exclude-table-data=a"]}, "say it by exclude_table_data"),
        ({"options": ["--table=a"], "restore_test": True}, "--table=a leaves out rows"),
        ({"options": ["--schema-o"], "restore_test": True}, "--schema-o leaves out rows"),
        ({"options": ["--create"], "format": "plain"}, "makes a plain dump drop or make databases"),
        ({"exclude_table_data": ["`id`"]}, "is not a pattern of tables"),
        ({"exclude_table_data": ["a b"]}, "is not a pattern of tables"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(others: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        PostgresItem.model_validate({"name": "a", "hosts": "all", "database": "a", **others})


def test_an_option_of_odd_words_reaches_pg_dump_as_one(database: Database) -> None:
    item = PostgresItem(name="a", hosts="here", database="a", options=('--schema=it\'s "odd" $HOME',))
    command = job_of(plan_of(item), item, host="here", jid="j").cmd
    words = "\n".join(line for line in command.splitlines() if line.startswith("PG_OPTIONS="))
    shown = subprocess.run(
        ["sh", "-c", f'{words}\neval "printf %s\\\\\\\\n $PG_OPTIONS"'], capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines() == ['--schema=it\'s "odd" $HOME', "--strict-names"]


@pytest.mark.parametrize("form", FORMATS, ids=["directory", "plain"])
def test_every_format_is_tested_in_a_scratch_database_and_for_all_databases_of_a_server(
    form: dict[str, Any], back_up: Back_up, database: Database, postgres: Postgres, directory: Path
) -> None:
    one = database("users", restore_test=True, restore_on="server", **form)
    settings = one.model_dump(exclude={"name", "database"})
    others = tuple(name for name in databases_of(postgres) if name != "users")
    record = back_up(ServerItem.model_validate({"name": "main", "exclude": others, **settings}))
    assert report_of(record).restore_tested, said(record)
    assert {path.name.partition("-")[0] for path in directory.glob("main.*")} == {"main.globals", "main.users"}
    assert not list(directory.glob(".unpacked*"))
