"""Flows on real hosts: three sshd, one PostgreSQL, and one temporary Prefect server for the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.postgres import Postgres
from lab.sshd import SshLab
from lab.webhook import Webhook
from tasks.access import Access
from tasks.connections import connections
from tests.prefect_harness import prefect_harness
from tests.task_log import TaskLog


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with prefect_harness(tmp_path_factory.mktemp("storage")):
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    with SshLab(tmp_path_factory.mktemp("hosts"), ["db1", "db2", "files1"]) as lab:
        yield lab
        connections().close()


@pytest.fixture(scope="session")
def access(lab: SshLab) -> Access:
    inventory = lab.write_inventory(lab.directory / "inventory.yml", {"databases": ["db1", "db2"], "files": ["files1"]})
    return Access(inventory=str(inventory))


@pytest.fixture
def task_log() -> Iterator[TaskLog]:
    with TaskLog() as log:
        yield log


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A file that a job waits for."""
    return tmp_path / "go"
