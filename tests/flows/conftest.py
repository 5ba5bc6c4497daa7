"""Flows on real hosts: three sshd, one PostgreSQL, and one temporary Prefect server for the whole session."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, PREFECT_SERVER_ANALYTICS_ENABLED, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from lab.postgres import Postgres
from lab.sshd import SshLab
from tasks.access import Access
from tasks.connections import connections


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # A failed flow run's exception is written to disk: not to the user's own.
    mine = {
        PREFECT_LOCAL_STORAGE_PATH: tmp_path_factory.mktemp("storage"),
        PREFECT_SERVER_ANALYTICS_ENABLED: False,
    }
    with temporary_settings(mine), prefect_test_harness(server_startup_timeout=120):
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


class TaskLog(logging.Handler):
    """What the task runs log, which is what people read in the UI; `react` is told of each line as it comes."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self.react: Callable[[str], None] = lambda _line: None

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        self.lines.append(line)
        self.react(line)

    def having(self, words: str) -> list[str]:
        return [line for line in self.lines if words in line]

    def when(self, words: str, act: Callable[[], object]) -> None:
        """Do `act` once, when a line with `words` comes: an event to wait for instead of a time."""
        done: list[bool] = []

        def react(line: str) -> None:
            if words in line and not done:
                done.append(True)
                act()

        self.react = react


@pytest.fixture
def task_log() -> Iterator[TaskLog]:
    log = TaskLog()
    logger = logging.getLogger("prefect.task_runs")
    logger.addHandler(log)
    yield log
    logger.removeHandler(log)


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A file that a job waits for."""
    return tmp_path / "go"
