"""The recipe for dbmate, as it stands in docs/how-to/migration-recipes.md, on a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.servers.postgres import Postgres
from tests.migration.postgres.conftest import Recipe, columns, read, steps

MIGRATION = """-- migrate:up
ALTER TABLE bill ADD COLUMN {name} text DEFAULT current_setting('application_name');
{then}
-- migrate:down
ALTER TABLE bill DROP COLUMN {name};
"""


@pytest.fixture
def dbmate(tmp_path: Path, bill: Postgres) -> Recipe:
    bill.query("DROP TABLE IF EXISTS schema_migrations", "orders")
    (tmp_path / "db" / "migrations").mkdir(parents=True)
    url = f"{bill.url('orders', driver='postgres')}?sslmode=disable"
    made = read("dbmate", tmp_path, {**bill.environment, "DATABASE_URL": url})
    migration(made, 2, "first")
    return made


def migration(recipe: Recipe, number: int, name: str, then: str = "") -> None:
    path = recipe.directory / "db" / "migrations" / f"2026010100000{number}_{name}.sql"
    path.write_text(MIGRATION.format(name=name, then=then))


def test_it_goes_there_and_back_under_its_name(dbmate: Recipe, bill: Postgres) -> None:
    assert steps(dbmate, "verify") == [1]
    assert steps(dbmate, "before", "migrate", "verify") == [0, 0, 0]
    assert bill.query("SELECT first FROM bill", "orders") == "migrate.1"
    migration(dbmate, 3, "second")
    migration(dbmate, 4, "third")
    assert steps(dbmate, "before", "verify", "migrate", "verify") == [0, 1, 0, 0]
    assert columns(bill) == "id,first,second,third"
    assert steps(dbmate, "verify_rollback", "rollback", "verify_rollback") == [1, 0, 0]
    assert columns(bill) == "id,first"


def test_one_that_fails_halfway_goes_back_and_no_further(dbmate: Recipe, bill: Postgres) -> None:
    assert steps(dbmate, "before", "migrate") == [0, 0]
    migration(dbmate, 3, "second")
    migration(dbmate, 4, "third", then="SELECT 1 / 0;")
    assert steps(dbmate, "before", "migrate") == [0, 2]
    assert columns(bill) == "id,first,second"  # a transaction each
    assert steps(dbmate, "rollback", "verify_rollback", "rollback") == [0, 0, 0]
    assert columns(bill) == "id,first"


def test_one_that_comes_too_late_for_its_number_is_refused_and_nothing_older_is_undone(
    dbmate: Recipe, bill: Postgres
) -> None:
    assert steps(dbmate, "before", "migrate") == [0, 0]
    migration(dbmate, 1, "late")
    assert steps(dbmate, "before", "migrate") == [0, 2]
    assert steps(dbmate, "rollback", "verify_rollback") == [0, 0]
    assert columns(bill) == "id,first"
