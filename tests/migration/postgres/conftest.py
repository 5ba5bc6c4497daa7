"""A recipe of docs/how-to/migration-recipes.md, as it stands there, and the table that it migrates."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.servers.postgres import Postgres
from remotejobs.operations.migration import Commands, MigrationStep, PostgresProof

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "migration-recipes.md"


def recipe(name: str) -> str:
    found = re.search(rf"<!-- recipe: {re.escape(name)} -->\n```\w+\n(.*?)\n```\n", PAGE.read_text(), re.DOTALL)
    assert found, name
    return found[1]


@dataclass(frozen=True)
class Recipe:
    """The commands of a recipe, run in a directory, with what a migration would set in their environment."""

    commands: Commands
    directory: Path
    env: Mapping[str, str]

    def start(self, step: str, **others: str) -> subprocess.Popen[str]:
        env = {**os.environ, **self.commands.env, **self.env, "PGAPPNAME": f"{step}.1", **others}
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        command = ["sh", "-c", self.commands.of(MigrationStep(step))]
        return subprocess.Popen(
            command, cwd=self.directory, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, step: str) -> tuple[int, str]:
        process = self.start(step)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said


@pytest.fixture
def bill(postgres: Postgres) -> Postgres:
    postgres.query("DROP TABLE IF EXISTS bill, alembic_version; CREATE TABLE bill (id int)", "orders")
    postgres.query("INSERT INTO bill VALUES (1)", "orders")
    return postgres


def columns(postgres: Postgres) -> str:
    wanted = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'bill'::regclass"
    return postgres.query(f"{wanted} AND attnum > 0 AND NOT attisdropped", "orders")


def read(name: str, directory: Path, env: Mapping[str, str]) -> Recipe:
    plan: dict[str, Any] = yaml.safe_load(recipe(name))
    PostgresProof.model_validate(plan["postgres"])
    return Recipe(Commands.model_validate(plan["commands"]), directory, env)


def steps(recipe: Recipe, *names: str) -> list[int]:
    return [recipe.run(name)[0] for name in names]
