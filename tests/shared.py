"""What the tests of flows share: one Prefect server, one PostgreSQL, three real hosts, for all directories.

A fixture is one only while it stands in one place: imported into a conftest it would be another one, and start its own
server. What imports Prefect is imported when it is first used, so that tests without Prefect begin at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import guard
from lab.servers.postgres import Postgres
from lab.servers.prefect.server import PrefectServer
from lab.servers.sshd import SshLab
from lab.servers.web.webhook import Webhook
from remotejobs.testing import FakeHosts
from tests.task_log import TaskLog

if TYPE_CHECKING:
    from remotejobs.prefect.tasks.access import Access

HOSTS = ("db1", "db2", "files1")
GROUPS = {"databases": ["db1", "db2"], "files": ["files1"]}


@pytest.fixture(scope="session", autouse=True)
def guarded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What runs or is mounted in the temporary directories of the tests ends with them."""
    guard.enter("place", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A temporary Prefect server, without a worker; flows in the process of the tests run against it."""
    from tests.prefect_harness import prefect_harness

    with prefect_harness(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="session")
def prefect_server(shared_server: PrefectServer) -> Path:
    """It runs; the directory in which runs persist their results."""
    return shared_server.directory / "storage"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A real PostgreSQL with the lab's databases."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    """Real sshd, one a host."""
    from remotejobs.prefect.tasks.connections import connections

    with SshLab(tmp_path_factory.mktemp("hosts"), HOSTS) as lab:
        yield lab
        connections().close()


@pytest.fixture(scope="session")
def access(lab: SshLab) -> Access:
    """How flows reach the hosts of `lab`."""
    from remotejobs.prefect.tasks.access import Access

    return Access(inventory=str(lab.write_inventory(lab.directory / "inventory.yml", GROUPS)))


@pytest.fixture
def fake() -> Iterator[FakeHosts]:
    """Hosts that are not there: every task of the test reaches its hosts by them."""
    from remotejobs.prefect.tasks.connections import reached_by

    fake = FakeHosts()
    with reached_by(fake.connect):
        yield fake


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """A file that a job waits for."""
    return tmp_path / "go"


@pytest.fixture
def task_log() -> Iterator[TaskLog]:
    """What task runs log meanwhile."""
    with TaskLog() as log:
        yield log


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A receiver of notifications."""
    with Webhook() as webhook:
        yield webhook
