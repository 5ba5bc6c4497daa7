"""The recipes of docs/how-to/migration-recipes.md, run as they stand there, on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.servers.postgres import Postgres
from tests.migration.postgres.conftest import Recipe, columns, read, recipe, steps

INI = "[alembic]\nscript_location = migrations\n"
REVISION = """
from alembic import op

revision, down_revision = "{name}", {before!r}


def upgrade():
    op.execute("ALTER TABLE bill ADD COLUMN {name} text DEFAULT current_setting('application_name')")
    {then}


def downgrade():
    op.execute("ALTER TABLE bill DROP COLUMN {name}")
"""


@pytest.fixture
def psql(tmp_path: Path, bill: Postgres) -> Recipe:
    check = "DO $$ BEGIN IF {} EXISTS (SELECT FROM information_schema.columns WHERE column_name = 'paid') THEN "
    check += "RAISE EXCEPTION 'wrong'; END IF; END $$"
    for file, text in {
        "up.sql": "ALTER TABLE bill ADD COLUMN paid bool; ALTER TABLE bill ADD COLUMN at date;",
        "down.sql": "ALTER TABLE bill DROP COLUMN IF EXISTS paid; ALTER TABLE bill DROP COLUMN IF EXISTS at;",
        "verify.sql": check.format("NOT"),
        "verify_down.sql": check.format(""),
    }.items():
        (tmp_path / file).write_text(text)
    return read("psql", tmp_path, {**bill.environment, "PGDATABASE": "orders"})


def test_psql_goes_there_and_back(psql: Recipe, bill: Postgres) -> None:
    assert psql.run("verify")[0] == 3
    assert (psql.run("migrate"), psql.run("verify")) == ((0, ""), (0, ""))
    assert columns(bill) == "id,paid,at"
    assert psql.run("verify_rollback")[0] == 3
    assert psql.run("rollback")[0] == 0
    assert psql.run("verify_rollback") == (0, "")


@contextmanager
def locked(postgres: Postgres) -> Iterator[subprocess.Popen[str]]:
    """A session that holds the table until something is written to it."""
    env = {**os.environ, **postgres.environment}
    with subprocess.Popen(
        ["psql", "-Xqd", "orders"], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as session:
        assert session.stdin and session.stdout
        session.stdin.write("BEGIN;\nLOCK TABLE bill;\n\\echo locked\n")
        session.stdin.flush()
        assert session.stdout.readline() == "locked\n"
        yield session
        session.stdin.close()


def test_psql_gives_up_a_lock_and_tries_again_until_the_other_session_has_let_go(psql: Recipe, bill: Postgres) -> None:
    with locked(bill):
        # Not three seconds, as on the page.
        migrate = psql.start("migrate", PGOPTIONS="-c lock_timeout=100ms")
        assert migrate.stdout
        assert "55P03: canceling statement due to lock timeout" in migrate.stdout.readline()
    migrate.communicate(timeout=60)
    assert migrate.returncode == 0
    assert columns(bill) == "id,paid,at"


def test_psql_tries_nothing_again_that_failed_for_another_reason_and_leaves_nothing_of_it(
    psql: Recipe, bill: Postgres
) -> None:
    with (psql.directory / "up.sql").open("a") as file:
        file.write("SELECT 1 / 0;")
    rc, said = psql.run("migrate")
    assert rc == 3
    assert "try 1: " in said
    assert "22012: division by zero" in said
    assert "try 2" not in said
    assert columns(bill) == "id"


@pytest.fixture
def alembic(tmp_path: Path, bill: Postgres) -> Recipe:
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    (tmp_path / "alembic.ini").write_text(INI)
    (tmp_path / "migrations" / "env.py").write_text(recipe("alembic env.py"))
    url = bill.url("orders", driver="postgresql+asyncpg")
    made = read("alembic", tmp_path, {**bill.environment, "DATABASE_URL": url})
    revise(made, "first", None)
    return made


def revise(recipe: Recipe, name: str, before: str | None, then: str = "") -> None:
    text = REVISION.format(name=name, before=before, then=then)
    (recipe.directory / "migrations" / "versions" / f"{name}.py").write_text(text)


def test_alembic_goes_there_and_back_under_its_name(alembic: Recipe, bill: Postgres) -> None:
    assert steps(alembic, "verify") == [1]
    assert steps(alembic, "before", "migrate", "verify") == [0, 0, 0]
    assert bill.query("SELECT first FROM bill", "orders") == "migrate.1"
    revise(alembic, "second", "first")
    assert steps(alembic, "before", "verify", "migrate", "verify") == [0, 1, 0, 0]
    assert steps(alembic, "verify_rollback", "rollback", "verify_rollback") == [1, 0, 0]
    assert columns(bill) == "id,first"


def test_alembic_that_fails_halfway_is_where_it_was_and_back_to_the_base_at_the_first_time(
    alembic: Recipe, bill: Postgres
) -> None:
    revise(alembic, "second", "first", then="raise RuntimeError('halfway')")
    assert steps(alembic, "before", "migrate") == [0, 1]
    assert steps(alembic, "rollback", "verify_rollback") == [0, 0]
    assert columns(bill) == "id"


MANAGE = """#!/usr/bin/python3
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
SECRET_KEY = "none"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "shop", "plain"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "orders"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
"""
DJANGO_MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [{after}]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE bill ADD COLUMN {name} text DEFAULT current_setting('application_name'); {then}",
            "ALTER TABLE bill DROP COLUMN {name}",
        )
    ]
"""


@pytest.fixture
def django(tmp_path: Path, bill: Postgres) -> Recipe:
    bill.query("DROP TABLE IF EXISTS django_migrations, django_content_type", "orders")
    (tmp_path / "plain").mkdir()
    (tmp_path / "shop" / "migrations").mkdir(parents=True)
    for package in ("plain", "shop", "shop/migrations"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "manage.py").chmod(0o755)
    (tmp_path / ".migrations-at").write_text(recipe("django migrations-at"))
    made = read("django", tmp_path, {**bill.environment, "PYTHONPATH": ""})
    migration_of_shop(made, "first")
    return made


def migration_of_shop(recipe: Recipe, name: str, after: str = "", then: str = "") -> None:
    text = DJANGO_MIGRATION.format(name=name, after=f'("shop", "{after}")' if after else "", then=then)
    (recipe.directory / "shop" / "migrations" / f"{name}.py").write_text(text)


def test_django_goes_there_and_back_under_its_name(django: Recipe, bill: Postgres) -> None:
    assert steps(django, "verify") == [1]
    assert steps(django, "before", "migrate", "verify") == [0, 0, 0]
    assert bill.query("SELECT first FROM bill", "orders") == "migrate.1"
    migration_of_shop(django, "second", after="first")
    assert steps(django, "before", "verify", "migrate", "verify") == [0, 1, 0, 0]
    assert columns(bill) == "id,first,second"
    assert steps(django, "verify_rollback", "rollback", "verify_rollback") == [1, 0, 0]
    assert columns(bill) == "id,first"


def test_django_that_fails_halfway_the_first_time_goes_back_to_nothing(django: Recipe, bill: Postgres) -> None:
    migration_of_shop(django, "second", after="first", then="SELECT 1 / 0")
    assert steps(django, "before", "migrate") == [0, 1]
    assert columns(bill) == "id,first"  # a transaction of its own
    assert steps(django, "rollback", "verify_rollback") == [0, 0]
    assert columns(bill) == "id"
