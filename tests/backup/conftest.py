"""Backups as jobs of this machine, without SSH and without Prefect; the PostgreSQL is a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lab.servers.postgres import Postgres
from remotejobs.agent.shell import Shell
from remotejobs.connections.local import LocalConnection
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record
from remotejobs.operations.backup import (
    BackupPlan,
    CommandItem,
    FilesItem,
    Item,
    MariadbItem,
    PostgresItem,
    RedisItem,
    Retention,
    ServerItem,
    SqliteItem,
    job_of,
)
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.restore import Restore, choose, restore_job

Back_up = Callable[..., Record]
Begin = Callable[..., str]
Run = Callable[..., Record]
APPLY = Retention()


def plan_of(item: Item) -> BackupPlan:
    match item:
        case ServerItem():
            return BackupPlan(servers=(item,))
        case PostgresItem():
            return BackupPlan(databases=(item,))
        case MariadbItem():
            return BackupPlan(mariadb=(item,))
        case RedisItem():
            return BackupPlan(redis=(item,))
        case FilesItem():
            return BackupPlan(files=(item,))
        case SqliteItem():
            return BackupPlan(sqlite=(item,))
        case CommandItem():
            return BackupPlan(commands=(item,))


@pytest.fixture(name="postgres")
def as_it_was(postgres: Postgres) -> Iterator[Postgres]:
    """The server that all tests share; the databases and roles that a test adds to it are gone for the next."""
    databases, roles = set(databases_of(postgres)), set(roles_of(postgres))
    yield postgres
    for name in set(databases_of(postgres)) - databases:
        quoted = name.replace('"', '""')
        postgres.query(f'ALTER DATABASE "{quoted}" ALLOW_CONNECTIONS true')
        postgres.query(f'DROP DATABASE "{quoted}"')
    for role in set(roles_of(postgres)) - roles:
        postgres.query(f'DROP ROLE "{role}"')


def databases_of(postgres: Postgres) -> list[str]:
    return postgres.query("SELECT datname FROM pg_database").splitlines()


def roles_of(postgres: Postgres) -> list[str]:
    return postgres.query("SELECT rolname FROM pg_roles").splitlines()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the backups lie."""
    return tmp_path / "backups"


@pytest.fixture
def jobs(tmp_path: Path) -> HostJobs:
    """The jobs of this machine."""
    return HostJobs(LocalConnection("here"), directory=str(tmp_path / "jobs"))


@pytest.fixture
def begin(jobs: HostJobs, directory: Path) -> Begin:
    """Starts the job of one item; its jid. What is not the item's, the job's or the retention is the plan's."""

    def run(
        item: Item,
        *,
        retention: Retention = APPLY,
        interpreter: str = "sh",
        env: dict[str, str] | None = None,
        **plan: Any,
    ) -> str:
        settings = {"directory": str(directory), "retention": retention, "min_free_mib": 0, **plan}
        whole = plan_of(item).model_copy(update=settings)
        job = job_of(whole, item, host="here", jid=uuid4().hex)
        jobs.start(replace(job, interpreter=interpreter, env=env or {}))
        return job.jid

    return run


@pytest.fixture
def back_up(jobs: HostJobs, begin: Begin) -> Back_up:
    """Runs the job of one item to its end."""

    def run(item: Item, **others: Any) -> Record:
        return jobs.record(begin(item, **others), wait=120)

    return run


@pytest.fixture
def reader(postgres: Postgres, tmp_path: Path) -> Iterator[dict[str, str]]:
    """How somebody logs in who may read all data and settings, and not create a database."""
    name = f"reader_{uuid4().hex[:8]}"
    postgres.query(f"CREATE ROLE {name} LOGIN PASSWORD 'reader' IN ROLE pg_read_all_data, pg_read_all_settings")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:{name}:reader\n")
    passfile.chmod(0o600)
    yield {"user": name, "passfile": str(passfile)}
    postgres.query(f"DROP ROLE {name}")


@pytest.fixture
def database(postgres: Postgres) -> Callable[..., PostgresItem]:
    """An item for one of the lab's databases."""

    def item(name: str, **others: object) -> PostgresItem:
        server = {"server": postgres.host, "port": postgres.port, "user": postgres.user}
        given = {
            "name": name,
            "hosts": "here",
            "database": name,
            "passfile": str(postgres.passfile),
            **server,
            **others,
        }
        return PostgresItem.model_validate(given)

    return item


@pytest.fixture
def shell() -> Shell:
    """A shell of this machine."""
    return Shell(LocalConnection("here"))


@pytest.fixture
def begin_restore(jobs: HostJobs, shell: Shell, directory: Path) -> Callable[..., str]:
    """Starts a restore of the latest good backup of an item; its jid."""

    def begin(
        item: str,
        *,
        replace_it: bool = False,
        interpreter: str = "sh",
        path: str = "",
        env: dict[str, str] | None = None,
        **settings: Any,
    ) -> str:
        wanted = Restore.model_validate({"item": item, "directory": str(directory), "reserve_mib": 0} | settings)
        entry = choose("here", backups_on(shell, str(directory)), wanted)
        job = restore_job(wanted, entry, jid=uuid4().hex, replace=replace_it)
        jobs.start(replace(job, interpreter=interpreter, env={**(env or {}), **({"PATH": path} if path else {})}))
        return job.jid

    return begin


@pytest.fixture
def restore(jobs: HostJobs, begin_restore: Callable[..., str]) -> Run:
    """Restores the latest good backup of an item."""

    def run(item: str, **settings: Any) -> Record:
        return jobs.record(begin_restore(item, **settings), wait=60)

    return run
