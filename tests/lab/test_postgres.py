"""The lab's PostgreSQL is a real one: its databases can be dumped, restored and counted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.servers.postgres import DATABASES, Postgres


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def test_every_database_holds_data(postgres: Postgres) -> None:
    tables = "SELECT count(*) FROM pg_stat_user_tables WHERE n_live_tup > 500"
    for database in DATABASES:
        postgres.query("ANALYZE", database)
        assert int(postgres.query(tables, database)) >= 1, database


def test_a_dump_restores_into_a_database_with_the_same_rows(postgres: Postgres, tmp_path: Path) -> None:
    dump = tmp_path / "orders.dump"
    client(postgres, "pg_dump", "-Fc", "-f", str(dump), "orders")
    client(postgres, "createdb", "scratch")
    client(postgres, "pg_restore", "-d", "scratch", str(dump))
    rows = "SELECT count(*), sum(cents) FROM purchase"
    assert postgres.query(rows, "scratch") == postgres.query(rows, "orders")


def test_the_password_is_in_a_file_of_the_owner_alone(postgres: Postgres) -> None:
    assert postgres.passfile.stat().st_mode & 0o777 == 0o600
    password = postgres.passfile.read_text().strip().rpartition(":")[2]
    assert password
    assert password not in "".join(postgres.environment.values())


def test_without_the_password_nobody_gets_in(postgres: Postgres) -> None:
    environment = {**os.environ, **postgres.environment, "PGPASSFILE": "/dev/null"}
    done = subprocess.run(["psql", "-w", "-d", "orders", "-c", "SELECT 1"], env=environment, capture_output=True)
    assert done.returncode != 0


def test_a_stopped_server_starts_again_on_its_port_with_its_data(postgres: Postgres) -> None:
    before = postgres.port, postgres.query("SELECT count(*) FROM account", "users")
    postgres.stop()
    postgres.start()
    assert (postgres.port, postgres.query("SELECT count(*) FROM account", "users")) == before


def test_nothing_is_left_after_the_end(tmp_path: Path) -> None:
    with Postgres(tmp_path) as server:
        data = Path(server.query("SHOW data_directory"))
        assert data.parent.exists() or os.geteuid() != 0
    assert not data.parent.exists()
    assert not server.passfile.exists()


def client(postgres: Postgres, *command: str) -> None:
    subprocess.run(command, env={**os.environ, **postgres.environment}, check=True)
