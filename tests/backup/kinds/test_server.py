"""All databases of a server, those that are new too, and its globals: each a backup of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lab.servers.postgres import Postgres
from remotejobs.agent.shell import Shell
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, CommandItem, ServerItem, report_of
from remotejobs.operations.backup.catalogue import backups_on
from tests.backup.conftest import databases_of

Back_up = Callable[..., Record]
Run = Callable[..., Record]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]


@pytest.fixture
def server(postgres: Postgres) -> Callable[..., ServerItem]:
    """An item for the lab's server."""

    def item(**others: Any) -> ServerItem:
        reached = {"server": postgres.host, "port": postgres.port, "user": postgres.user}
        given = {"name": "main", "hosts": "here", "passfile": str(postgres.passfile), **reached, **others}
        return ServerItem.model_validate(given)

    return item


def made(shell: Shell, directory: Path) -> dict[str, str]:
    return {entry.item: entry.state for entry in backups_on(shell, str(directory))}


@pytest.mark.parametrize("interpreter", SHELLS)
def test_every_database_is_saved_but_those_that_are_left_out(
    interpreter: str,
    back_up: Back_up,
    server: Callable[..., ServerItem],
    postgres: Postgres,
    directory: Path,
    shell: Shell,
) -> None:
    for name in ("test_a", "Shop & sons"):
        postgres.query(f'CREATE DATABASE "{name}"')
    others = [name for name in databases_of(postgres) if name not in ("users", "postgres", "Shop & sons")]
    record = back_up(server(exclude=("test_*", *others)), interpreter=interpreter)
    assert record.state is State.SUCCEEDED, record.stderr
    found = made(shell, directory)
    odd = next(item for item in found if "sons" in item)
    assert odd.startswith("main.Shop___sons.")
    assert set(found) == {"main.globals", "main.users", "main.postgres", odd}
    entries = {entry.item: entry for entry in backups_on(shell, str(directory))}
    said = {item: dict(entry.record or {}) for item, entry in entries.items()}
    assert (said[odd]["database"], said[odd]["kind"]) == ("Shop & sons", "postgres")
    assert said["main.globals"]["kind"] == "globals"
    report = report_of(record)
    assert report.bytes == sum(entry.bytes for entry in entries.values())
    assert (report.path, report.kept, report.restore_tested) == (f"{directory}/main.*", 4, False)


def test_the_restore_test_loads_the_globals_that_were_saved(
    back_up: Back_up, server: Callable[..., ServerItem], postgres: Postgres, directory: Path, shell: Shell
) -> None:
    postgres.query("CREATE ROLE appuser LOGIN PASSWORD 'x'")
    postgres.query("CREATE DATABASE owned")
    postgres.query("CREATE TABLE t (n integer); ALTER TABLE t OWNER TO appuser", "owned")
    others = tuple(name for name in databases_of(postgres) if name != "owned")
    record = back_up(server(exclude=others, restore_test=True))
    assert record.state is State.SUCCEEDED, record.stderr
    assert report_of(record).restore_tested, record.stdout.decode()
    assert made(shell, directory) == {"main.globals": "tested", "main.owned": "tested"}
    (globals_,) = directory.glob("main.globals-*.sql")
    assert "CREATE ROLE appuser" in globals_.read_text()
    assert "SCRAM-SHA-256$" in globals_.read_text()
    assert json.loads(Path(f"{globals_}.json").read_text())["restore_test"] == "passed"
    assert "without owners and rights" not in record.stdout.decode()


def test_globals_that_lack_a_role_leave_the_database_untested(
    back_up: Back_up, server: Callable[..., ServerItem], postgres: Postgres, tmp_path: Path
) -> None:
    postgres.query("CREATE ROLE appuser")
    postgres.query("CREATE DATABASE owned")
    postgres.query("CREATE TABLE t (n integer); ALTER TABLE t OWNER TO appuser", "owned")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pg_dumpall").write_text(
        '#!/bin/sh\nfor last in "$@"; do :; done\n/usr/bin/pg_dumpall "$@" && [ -f "$last" ] || exit\n'
        'sed -i "/ appuser/d" "$last"\n'
    )
    (tmp_path / "bin" / "pg_dumpall").chmod(0o755)
    others = tuple(name for name in databases_of(postgres) if name != "owned")
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    report = report_of(back_up(server(exclude=others, restore_test=True), env=env))
    assert not report.restore_tested
    assert "owned: it cannot be restored there: pg_restore: error: " in report.untested
    assert 'role "appuser" does not exist' in report.untested


def test_a_user_who_may_not_read_passwords_saves_the_roles_without_them(
    back_up: Back_up, server: Callable[..., ServerItem], postgres: Postgres, directory: Path, tmp_path: Path
) -> None:
    name = f"plain_{uuid4().hex[:8]}"
    postgres.query(f"CREATE ROLE {name} LOGIN PASSWORD 'plain'")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:{name}:plain\n")
    passfile.chmod(0o600)
    record = back_up(server(exclude=("*",), user=name, passfile=str(passfile)))
    assert record.state is State.SUCCEEDED, record.stderr
    (warning,) = report_of(record).warnings
    assert warning.startswith("postgres: without the passwords of roles: pg_dumpall: error: ")
    (globals_,) = directory.glob("main.globals-*.sql")
    assert f"CREATE ROLE {name}" in globals_.read_text()


def test_one_that_fails_stops_no_other_and_one_that_allows_no_connections_is_named(
    back_up: Back_up, server: Callable[..., ServerItem], postgres: Postgres, directory: Path, shell: Shell
) -> None:
    for name in ("closed", "aaa", "zzz"):
        postgres.query(f"CREATE DATABASE {name}")
    postgres.query("ALTER DATABASE closed ALLOW_CONNECTIONS false")
    others = tuple(name for name in databases_of(postgres) if name not in ("aaa", "zzz"))
    directory.mkdir(mode=0o700)
    (directory / ".main.aaa.plan").write_text("somebody else's\n")
    record = back_up(server(exclude=others, globals=False))
    assert record.state is State.FAILED
    assert record.stderr.decode().splitlines()[-1].endswith("of 2, these failed: aaa")
    assert made(shell, directory) == {"main.zzz": "whole"}
    assert report_of(record).warnings == ("not backed up, as they allow no connections: closed ",)


def test_a_name_that_could_be_that_of_a_database_is_refused() -> None:
    with pytest.raises(ValueError, match="the name 'main.x' could be that of a database of 'main'"):
        BackupPlan(
            servers=(ServerItem(name="main", hosts="here"),),
            commands=(CommandItem(name="main.x", hosts="here", command="x"),),
        )


def test_a_database_of_a_server_is_restored_by_its_own_name(
    back_up: Back_up, server: Callable[..., ServerItem], restore: Run, postgres: Postgres
) -> None:
    others = tuple(name for name in databases_of(postgres) if name != "users")
    back_up(server(exclude=others, globals=False))
    reached = {"server": postgres.host, "port": postgres.port, "user": postgres.user}
    done = restore("main.users", database="users_back", passfile=str(postgres.passfile), **reached)
    assert done.state is State.SUCCEEDED, done.stderr
