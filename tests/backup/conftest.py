"""Backups as jobs of this machine, without SSH and without Prefect; the PostgreSQL is a real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from lab.servers.postgres import Postgres
from remotejobs.connections.local import LocalConnection
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record
from remotejobs.operations.backup import BackupPlan, CommandItem, FilesItem, Item, PostgresItem, Retention, job_of

Back_up = Callable[..., Record]
APPLY = Retention()


def plan_of(item: Item) -> BackupPlan:
    match item:
        case PostgresItem():
            return BackupPlan(databases=(item,))
        case FilesItem():
            return BackupPlan(files=(item,))
        case CommandItem():
            return BackupPlan(commands=(item,))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the backups lie."""
    return tmp_path / "backups"


@pytest.fixture
def back_up(tmp_path: Path, directory: Path) -> Back_up:
    """Runs the job of one item to its end."""
    jobs = HostJobs(LocalConnection("here"), directory=str(tmp_path / "jobs"))

    def run(item: Item, *, retention: Retention = APPLY, min_free_mib: int = 0, interpreter: str = "sh") -> Record:
        plan = plan_of(item).model_copy(
            update={"directory": str(directory), "retention": retention, "min_free_mib": min_free_mib}
        )
        job = replace(job_of(plan, item, host="here", jid=uuid4().hex), interpreter=interpreter)
        jobs.start(job)
        return jobs.record(job.jid, wait=120)

    return run


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
