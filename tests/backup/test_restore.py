"""A backup is restored beside what is there, counted, and only then given its name; nothing is lost on the way."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.servers.postgres import Postgres
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import PostgresItem, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.restore import (
    PlannedRestore,
    Restore,
    restore_job,
    restore_report_of,
    started_by,
    target_on,
)
from tests.awaiting import await_true
from tests.backup.conftest import databases_of

Database = Callable[..., PostgresItem]
Back_up = Callable[..., Record]
Run = Callable[..., Record]


@pytest.fixture
def server(postgres: Postgres) -> dict[str, object]:
    """How the server is reached."""
    return {"server": postgres.host, "port": postgres.port, "user": postgres.user, "passfile": str(postgres.passfile)}


def said(record: Record) -> str:
    return record.stderr.decode()


def test_a_database_comes_back_under_a_new_name_with_its_rows_owner_rights_and_settings(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    postgres.query("CREATE DATABASE \"shop 'x'\"")
    postgres.query("CREATE ROLE shopkeeper")
    postgres.query(
        "CREATE TABLE bill (n integer); INSERT INTO bill SELECT generate_series(1, 7);"
        "ALTER TABLE bill OWNER TO shopkeeper;"
        "ALTER DATABASE \"shop 'x'\" OWNER TO shopkeeper; REVOKE CONNECT ON DATABASE \"shop 'x'\" FROM PUBLIC;"
        "ALTER DATABASE \"shop 'x'\" SET work_mem = '5MB'; COMMENT ON DATABASE \"shop 'x'\" IS 'of the shop'",
        "shop 'x'",
    )
    back_up(database("shop", database="shop 'x'", restore_test=True))
    done = restore("shop", database='new "shop"', **server)
    assert done.state is State.SUCCEEDED, said(done)
    report = restore_report_of(done)
    assert (report.target, report.before, report.counts) == ('new "shop"', "", "1 tables, 7 rows")
    described = (
        "SELECT pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), datacl::text LIKE '%=Tc/%', "
        "(SELECT setconfig FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) FROM pg_database d WHERE datname = "
    )
    assert postgres.query(described + "'new \"shop\"'") == "shopkeeper|of the shop|f|{work_mem=5MB}"
    assert postgres.query("SELECT tableowner FROM pg_tables WHERE tablename = 'bill'", 'new "shop"') == "shopkeeper"
    assert "remotejobs_restore" not in " ".join(databases_of(postgres))


def test_an_existing_database_is_refused_and_untouched(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object], shell: Shell
) -> None:
    back_up(database("users"))
    wanted = Restore.model_validate({"item": "users", "database": "users", **server})
    assert target_on(shell, wanted).exists
    assert not target_on(shell, wanted.model_copy(update={"database": "nowhere"})).exists
    before = databases_of(postgres)
    record = restore("users", database="users", **server)
    assert record.state is State.FAILED
    refused = "the database users exists, and its replacement was not approved"
    assert f"restore of users failed at step preflight: {refused}" in said(record)
    assert databases_of(postgres) == before


def test_a_database_that_is_replaced_is_kept_under_another_name(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    postgres.query("CREATE DATABASE swapped")
    postgres.query("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)", "swapped")
    back_up(database("swapped", restore_test=True))
    postgres.query("DELETE FROM t; CREATE TABLE later (n integer)", "swapped")
    report = restore_report_of(restore("swapped", database="swapped", replace_it=True, **server))
    assert postgres.query("SELECT count(*) FROM t", "swapped") == "1"
    assert postgres.query("SELECT count(*) FROM later", report.before) == "0"


def test_sessions_of_the_old_database_are_ended_only_where_that_was_asked_for(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    postgres.query("CREATE DATABASE visited")
    back_up(database("visited"))
    env = {**os.environ, **postgres.environment, "PGDATABASE": "visited"}
    visitor = subprocess.Popen(["psql", "-qXc", "SELECT pg_sleep(600)"], env=env, stderr=subprocess.PIPE)
    try:
        await_true(lambda: postgres.query("SELECT count(*) FROM pg_stat_activity WHERE datname = 'visited'") == "1")
        refused = restore("visited", database="visited", replace_it=True, **server)
        assert "1 sessions use the database visited" in said(refused)
        done = restore("visited", database="visited", replace_it=True, end_sessions=True, **server)
        assert done.state is State.SUCCEEDED, said(done)
    finally:
        visitor.kill()
        visitor.communicate()


def test_what_a_restore_left_whose_time_is_over_goes(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    back_up(database("users"))
    left, alive = "remotejobs_restore_to_left", "remotejobs_restore_to_alive"
    for name, until in ((left, 1), (alive, 2**40)):
        postgres.query(f"CREATE DATABASE {name}")
        postgres.query(f"COMMENT ON DATABASE {name} IS 'remotejobs restore test, over by {until}'")
    assert restore("users", database="users_again", **server).state is State.SUCCEEDED
    assert left not in databases_of(postgres)
    assert alive in databases_of(postgres)


def test_a_database_that_cannot_be_given_its_name_is_kept_for_a_person(
    back_up: Back_up,
    database: Database,
    begin_restore: Callable[..., str],
    jobs: HostJobs,
    postgres: Postgres,
    server: dict[str, object],
    tmp_path: Path,
) -> None:
    postgres.query("CREATE DATABASE late")
    postgres.query("CREATE TABLE t (n integer); INSERT INTO t VALUES (1)", "late")
    back_up(database("late"))
    # A psql that waits before it gives the databases their names; meanwhile somebody comes.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "psql").write_text(
        f'#!/bin/sh\ncase "$*" in */switch) : >{tmp_path}/here\n'
        f"until [ -e {tmp_path}/go ]; do sleep 0.1; done ;; esac\n"
        'exec /usr/bin/psql "$@"\n'
    )
    (tmp_path / "bin" / "psql").chmod(0o755)
    jid = begin_restore("late", database="late", replace_it=True, path=f"{tmp_path}/bin:/usr/bin:/bin", **server)
    await_true((tmp_path / "here").exists)
    env = {**os.environ, **postgres.environment, "PGDATABASE": "late"}
    visitor = subprocess.Popen(["psql", "-qXc", "SELECT pg_sleep(600)"], env=env, stderr=subprocess.PIPE)
    try:
        await_true(lambda: postgres.query("SELECT count(*) FROM pg_stat_activity WHERE datname = 'late'") == "1")
        (tmp_path / "go").touch()
        record = jobs.record(jid, wait=60)
    finally:
        postgres.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'late'")
        visitor.communicate()
    assert record.state is State.FAILED
    (kept,) = [name for name in databases_of(postgres) if name.startswith("remotejobs_restore_to_")]
    assert f"it is restored, whole, as the database {kept}, and cannot be given the name late" in said(record)
    assert "is being accessed by other users" in said(record)
    assert postgres.query("SELECT count(*) FROM t", kept) == "1"


def test_a_role_that_is_missing_fails_the_restore_and_leaves_nothing(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    postgres.query("CREATE DATABASE owned_by_gone")
    postgres.query("CREATE ROLE gone; CREATE TABLE t (n integer); ALTER TABLE t OWNER TO gone", "owned_by_gone")
    back_up(database("owned_by_gone"))
    postgres.query("DROP TABLE t; DROP ROLE gone", "owned_by_gone")
    failed = restore("owned_by_gone", database="back", **server)
    assert failed.state is State.FAILED
    assert 'role "gone" does not exist' in said(failed)
    assert not {name for name in databases_of(postgres) if name == "back" or name.startswith("remotejobs_restore")}
    assert restore("owned_by_gone", database="back", owners=False, **server).state is State.SUCCEEDED


def test_rows_that_are_not_those_of_the_record_fail_the_restore(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    path = Path(report_of(back_up(database("users", restore_test=True))).path)
    record = Path(f"{path}.json")
    record.write_text(record.read_text().replace('"public.', '"other.', 1))
    failed = restore("users", database="back", **server)
    assert failed.state is State.FAILED
    assert "the rows differ: dumped other." in said(failed)
    assert "back" not in databases_of(postgres)


def test_a_damaged_backup_is_not_restored(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    path = Path(report_of(back_up(database("users"))).path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    failed = restore("users", database="back", **server)
    assert f"{path.name} is damaged: its sha256 is" in said(failed)
    assert "back" not in databases_of(postgres)


def test_a_restore_that_is_killed_leaves_no_database(
    back_up: Back_up,
    database: Database,
    begin_restore: Callable[..., str],
    jobs: HostJobs,
    postgres: Postgres,
    server: dict[str, object],
) -> None:
    postgres.query("CREATE DATABASE sleepy")
    postgres.query(
        "CREATE FUNCTION slow(integer) RETURNS boolean LANGUAGE sql AS "
        "'SELECT pg_sleep(CASE WHEN current_database() = ''sleepy'' THEN 0 ELSE 600 END) IS NOT NULL';"
        "CREATE TABLE one (n integer CHECK (slow(n))); INSERT INTO one VALUES (1)",
        "sleepy",
    )
    back_up(database("sleepy"))
    jid = begin_restore("sleepy", database="back", **server)
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'remotejobs_restore_to_%' AND wait_event = 'PgSleep'"
    )
    await_true(lambda: postgres.query(sleeping) == "1")
    record = jobs.kill(jid)
    assert record.state is State.KILLED
    assert "proven empty" in record.msg
    assert not {name for name in databases_of(postgres) if name == "back" or name.startswith("remotejobs_restore")}


def test_a_backup_without_a_record_is_restored_by_its_checksum(
    back_up: Back_up, database: Database, restore: Run, server: dict[str, object]
) -> None:
    path = report_of(back_up(database("users"))).path
    Path(f"{path}.json").unlink()
    done = restore("users", database="back", **server)
    assert done.state is State.SUCCEEDED, said(done)
    assert "no rows were recorded" in done.stdout.decode()


def test_a_user_who_may_only_create_databases_can_restore_without_owners(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object], tmp_path: Path
) -> None:
    back_up(database("users", restore_test=True))
    postgres.query("CREATE ROLE maker LOGIN CREATEDB PASSWORD 'maker'")
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:maker:maker\n")
    passfile.chmod(0o600)
    as_maker = server | {"user": "maker", "passfile": str(passfile), "owners": False, "database": "made"}
    for replaces in (False, True):
        done = restore("users", replace_it=replaces, **as_maker)
        assert done.state is State.SUCCEEDED, said(done)
    owner = "SELECT DISTINCT pg_get_userbyid(datdba) FROM pg_database WHERE datname LIKE 'made%'"
    assert postgres.query(owner) == "maker"


def test_without_room_nothing_is_begun(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    back_up(database("users"))
    failed = restore("users", database="back", **(server | {"reserve_mib": 1024**3}))
    assert f"failed at step preflight: {postgres.query('SHOW data_directory')} has " in said(failed)
    assert f"{1024**4} KiB stay free" in said(failed)


def test_the_command_of_a_restore_comes_back_whole_to_whoever_attaches_to_it(
    directory: Path, shell: Shell, jobs: HostJobs
) -> None:
    # A run that begins anew continues with the command that lies on the host, of which a record brings 256 KiB.
    directory.mkdir()
    path = directory / "wiki-20260101T000000Z.sql.gz"
    for suffix in ("", ".sha256"):
        Path(f"{path}{suffix}").write_text("x")
    Path(f"{path}.json").write_text(json.dumps({"record": 1, "kind": "mariadb"}))
    (entry,) = backups_on(shell, str(directory))
    wanted = Restore(item="wiki", database="x" * 64, server="s" * 200, user="u" * 63, passfile="/" + "p" * 2000)
    job = restore_job(wanted, entry, jid="restore", replace=True)
    jobs.start(job)
    there = jobs.record("restore", wait=60).cmd
    assert len(there.encode()) > 65536
    attached = PlannedRestore(host="here", command=started_by(wanted, "here", "restore", there))
    assert jobs.start(attached.job(wanted, jid="restore", replace=True)).jid == "restore"
