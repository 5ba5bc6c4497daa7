"""The name under which a database is kept that a restore replaced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.servers.postgres import Postgres
from remotejobs.model import Record, State
from remotejobs.operations.backup import PostgresItem
from remotejobs.operations.backup.restore import restore_report_of
from tests.backup.conftest import databases_of

Database = Callable[..., PostgresItem]
Back_up = Callable[..., Record]
Run = Callable[..., Record]


@pytest.fixture
def server(postgres: Postgres) -> dict[str, object]:
    """How the server is reached."""
    return {"server": postgres.host, "port": postgres.port, "user": postgres.user, "passfile": str(postgres.passfile)}


def test_the_long_name_of_what_is_kept_is_the_one_that_the_report_has(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object]
) -> None:
    name = "l" * 63
    postgres.query(f"CREATE DATABASE {name}")
    back_up(database("long", database=name))
    report = restore_report_of(restore("long", database=name, replace_it=True, **server))
    assert report.before in databases_of(postgres)


def test_what_another_restore_of_the_same_second_put_aside_keeps_its_name(
    back_up: Back_up, database: Database, restore: Run, postgres: Postgres, server: dict[str, object], tmp_path: Path
) -> None:
    taken = "hasty_before_20260101t000000z"
    for name in ("hasty", taken):
        postgres.query(f"CREATE DATABASE {name}")
    back_up(database("hasty"))
    clock = tmp_path / "bin" / "date"  # says at first that it is that second
    clock.parent.mkdir()
    clock.write_text(
        f"""#!/bin/sh
if [ "$*" = '-u +%Y%m%dT%H%M%SZ' ] && mkdir {tmp_path}/said 2>/dev/null; then echo 20260101T000000Z
else exec {shutil.which("date")} "$@"; fi
"""
    )
    clock.chmod(0o755)
    path = f"{clock.parent}:{os.environ['PATH']}"
    done = restore("hasty", database="hasty", replace_it=True, path=path, **server)
    assert done.state is State.SUCCEEDED, done.stderr.decode()
    assert restore_report_of(done).before != taken
    assert taken in databases_of(postgres)
