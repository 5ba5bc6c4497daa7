"""A migration whose database goes on without it: what PostgreSQL says decides whether anything may follow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.servers.postgres import Postgres
from lab.servers.sshd import SshLab
from remotejobs.operations.migration import Commands, PostgresProof, Timeouts
from tests.awaiting import await_true
from tests.migration.conftest import Migrate

TABLES = "DROP TABLE IF EXISTS left_behind, gate; CREATE TABLE left_behind (a int); CREATE TABLE gate (a int)"
# A statement that writes when the gate is open, and a client of it that is killed meanwhile.
WRITES = """cat >writes.sql <<'SQL'
DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05); END LOOP;
    INSERT INTO left_behind VALUES (1);
END $$
SQL
. ./orders.env
"""
COUNT = ". ./orders.env && psql -XAtqc 'SELECT count(*) FROM left_behind' | grep -x"


@pytest.fixture
def orders(postgres: Postgres, lab: SshLab) -> Iterator[Postgres]:
    postgres.query(TABLES, "orders")
    lines = [f"export {name}='{value}'\n" for name, value in {**postgres.environment, "PGDATABASE": "orders"}.items()]
    (lab.host("db1").home / "orders.env").write_text("".join(lines))
    yield postgres
    at_work = "FROM pg_stat_activity WHERE query LIKE 'DO %WHILE NOT EXISTS%'"
    postgres.query(f"SELECT pg_terminate_backend(pid) {at_work}")
    await_true(lambda: postgres.query(f"SELECT count(*) {at_work}") == "0")


@pytest.fixture
def proof() -> PostgresProof:
    return PostgresProof(psql=". ./orders.env && psql", check_clients=False, left="terminate")


def test_what_a_killed_client_left_is_ended_before_the_rollback_begins(
    migrate: Migrate, orders: Postgres, proof: PostgresProof
) -> None:
    commands = Commands(
        migrate=f"{WRITES} psql -Xqf writes.sql",
        rollback=". ./orders.env && psql -Xqc 'INSERT INTO gate VALUES (1)'",
        verify_rollback=f"sleep 0.2; {COUNT} 0",
    )
    ended = migrate("db1", commands, timeouts=Timeouts(migrate=2, grace=0), postgres=proof)
    assert ended.end == "RolledBack", ended.message
    assert ended.message.endswith("Before the rollback PostgreSQL had no backend of the migration left")
    assert orders.query("SELECT count(*) FROM left_behind", "orders") == "0"


def test_what_does_not_end_in_time_forbids_the_rollback(
    migrate: Migrate, orders: Postgres, proof: PostgresProof
) -> None:
    commands = Commands(migrate=f"{WRITES} psql -Xqf writes.sql", rollback="touch rolled-back")
    waits = proof.model_copy(update={"left": "wait", "within": 1})
    ended = migrate("db1", commands, timeouts=Timeouts(migrate=2, grace=0), postgres=waits)
    assert ended.end == "RollbackFailed"
    assert "db1: not rolled back, for PostgreSQL is still at work for the migration: " in ended.message
    assert "(active: DO $$ BEGIN WHILE NOT EXISTS" in ended.message


def test_a_migrate_that_ended_with_0_and_whose_statement_goes_on_is_no_success(
    migrate: Migrate, orders: Postgres, proof: PostgresProof
) -> None:
    commands = Commands(migrate=f"{WRITES} timeout 1 psql -Xqf writes.sql || true", verify="true")
    ended = migrate("db1", commands, postgres=proof)
    assert ended.end == "Unknown"
    assert "db1: migrate ended with 0 and left running in PostgreSQL " in ended.message


def test_a_server_that_cannot_give_its_proof_is_noticed_before_anything_begins(
    migrate: Migrate, proof: PostgresProof
) -> None:
    ended = migrate("db1", Commands(migrate="true"), postgres=PostgresProof(psql="psql -h 127.0.0.1 -p 1"))
    assert ended.end == "Refused"
    assert "db1: PostgreSQL cannot give its proof: `psql -h 127.0.0.1 -p 1` did not answer: rc 2" in ended.message
