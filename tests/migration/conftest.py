"""Migrations on the real hosts, PostgreSQL and Prefect server that all flows share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.settings import PREFECT_API_URL
from prefect.states import AwaitingRetry, Pending

from lab.demos.shop import Shop
from lab.servers.postgres import Postgres
from lab.servers.sshd import LabHost, SshLab
from remotejobs.model import Record
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from tests.artifacts import artifacts_of, name_of
from tests.migration.gates import Gates

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def all_shops(postgres: Postgres) -> Shop:
    return Shop(postgres)


@pytest.fixture
def shop(all_shops: Shop, lab: SshLab) -> Shop:
    """Fresh databases on all hosts."""
    for host in lab.hosts:
        all_shops.open_on(host)
    return all_shops


@pytest.fixture
def unlocked(lab: SshLab) -> Iterator[SshLab]:
    """The hosts; locks that a test left there are gone after it."""
    yield lab
    for host in lab.hosts:
        lock_of(host).unlink(missing_ok=True)


def lock_of(host: LabHost) -> Path:
    return host.results_dir / ".locks" / "migration"


@dataclass(frozen=True)
class EndedMigration:
    """A flow run that ended, and what can be found out about it."""

    state: RunState[Any]
    access: Access

    @property
    def id(self) -> UUID:
        assert self.state.state_details.flow_run_id
        return self.state.state_details.flow_run_id

    @property
    def name(self) -> str:
        return name_of(self.id)

    @property
    def end(self) -> str | None:
        return self.state.name

    @property
    def message(self) -> str:
        return self.state.message or ""

    @property
    def report(self) -> str:
        """The markdown artifact of the run, the newest one."""
        return str(artifacts_of(self.id, "markdown")[-1].data)

    def jobs(self, host: str) -> dict[str, Record]:
        """The run's jobs on a host, by step."""
        found = [record for record in jobs_on(self.access, host).list() if record.jid.endswith(str(self.id))]
        return {record.label: record for record in found}


Migrate = Callable[..., EndedMigration]


@pytest.fixture
def migrate(prefect_server: Path, unlocked: SshLab, access: Access) -> Migrate:
    """Runs the flow in this process."""

    def run(hosts: str, commands: object, **others: object) -> EndedMigration:
        given: dict[str, Any] = {"access": access, "poll": 1, "contact_timeout": 60, **others}
        state = migration(hosts=hosts, commands=commands, return_state=True, **given)
        return EndedMigration(state, given["access"])

    return run


class Controller:
    """A flow run in a process of its own, as a worker runs it, that may be killed and started again."""

    def __init__(self, storage: Path, parameters: Mapping[str, object]) -> None:
        given = migration.serialize_parameters(dict(parameters))
        with get_client(sync_client=True) as client:
            self.run: FlowRun = client.create_flow_run(migration, parameters=given, state=Pending())
        self._env = {
            **os.environ,
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "PREFECT_LOCAL_STORAGE_PATH": str(storage),
            "PREFECT__FLOW_ENTRYPOINT": "flows/migration.py:migration",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_COLORS": "false",
        }
        self._process: subprocess.Popen[str] | None = None
        self.said = ""

    def start(self) -> None:
        """Run it in a new process. One that has run before is scheduled anew, as the UI's Retry does it."""
        if self.said:
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(self.run.id, AwaitingRetry(), force=True)
        self.said = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prefect.engine", str(self.run.id)],
            env=self._env,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def await_words(self, words: str) -> None:
        """Return when the process says so; fail when it ends before."""
        if words in self.said:
            return
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line
            if words in line:
                return
        raise AssertionError(f"it ended without saying {words!r}:\n{self.said}")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def finish(self) -> RunState[Any]:
        """Wait for the process to end by itself; the state of the run then."""
        assert self._process is not None
        said, _ = self._process.communicate(timeout=240)
        self.said += said
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(self.run.id).state
        assert state is not None, self.said
        return state


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


Control = Callable[[Mapping[str, object]], Controller]


@pytest.fixture
def controller(prefect_server: Path, unlocked: SshLab) -> Iterator[Control]:
    made: list[Controller] = []

    def make(parameters: Mapping[str, object]) -> Controller:
        made.append(Controller(prefect_server, parameters))
        return made[-1]

    yield make
    for each in made:
        each.kill()
