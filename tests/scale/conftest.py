"""A real server on PostgreSQL and Redis as `make deploy` makes it, workers that share nothing, and sixty real hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from lab.ports import free_ports
from lab.postgres import Postgres
from lab.prefect_api import PrefectApi, Run
from lab.prefect_server import SHARDS
from lab.process import Server
from lab.runs import await_state, start
from lab.scaled_server import ScaledServer
from lab.sshd import LabHost, SshLab
from remotejobs.model import Record
from tasks.access import Access
from tasks.connections import connections, jobs_on
from tests import awaiting

HOSTS = tuple(f"h{number:02d}" for number in range(60))
WITHIN = 300.0  # seconds; far more than it takes, for machines that have much else to do
SLOTS = 2  # shards that a worker has at a time
await_true = partial(awaiting.await_true, within=WITHIN)


@dataclass(frozen=True)
class Plant:
    """What runs in the tests. `go` lets every job end that waits for the file of its name."""

    prefect: ScaledServer
    api: PrefectApi
    ssh: SshLab
    postgres: Postgres
    access: Access
    directory: Path

    def command(self, name: str) -> str:
        """Leaves a line each time it is run, and waits for its file."""
        return f'echo x >>"$HOME/{name}.runs"; until [ -e {self.directory}/{name} ]; do sleep 1; done'

    def go(self, name: str) -> None:
        (self.directory / name).touch()

    def start(self, deployment: str, **given: object) -> Run:
        return start(self.api, deployment, {"access": self.access.model_dump(), **given})

    def runs_of(self, name: str) -> list[int]:
        """How often the command was run, on each host."""
        return [_lines(host, name) for host in self.ssh.hosts]

    def jobs_of(self, run: Run, host: str) -> list[Record]:
        return [record for record in jobs_on(self.access, host).list() if record.jid.endswith(str(run.id))]

    def await_state(self, run: Run, *names: str) -> Run:
        return self.await_run(run, lambda now: now.state is not None and now.state.name in names)

    def await_run(self, run: Run, come: Callable[[Run], bool]) -> Run:
        return await_state(self.api, run, come, WITHIN)

    def await_log(self, run: Run, words: str) -> None:
        """Wait until a line of the run's log has these words."""
        self.await_run(run, lambda _: any(words in line for line in self.api.log(run)))

    def start_shard_worker(self, name: str) -> Server:
        return self.prefect.start_worker(name, pool=SHARDS, limit=SLOTS)


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    directory = tmp_path_factory.mktemp("plant")
    with ExitStack() as stack:
        prefect = stack.enter_context(ScaledServer(directory / "prefect", port=free_ports(1)[0]))
        ssh = stack.enter_context(SshLab(directory / "hosts", HOSTS))
        postgres = stack.enter_context(Postgres(directory / "postgres"))
        access = Access(inventory=str(ssh.write_inventory(directory / "inventory.yml")))
        prefect.await_ready()
        api = stack.enter_context(PrefectApi(prefect.api_url))
        prefect.declare()
        stack.callback(connections().close)
        yield Plant(prefect, api, ssh, postgres, access, directory)


@pytest.fixture(scope="session")
def lead(plant: Plant) -> Server:
    """The worker of what is split, and of `rescue`."""
    return plant.prefect.start_worker("lead")


@pytest.fixture(scope="session")
def one(plant: Plant) -> Server:
    """A worker of shards that lives on."""
    return plant.start_shard_worker("one")


def _lines(host: LabHost, name: str) -> int:
    path = host.home / f"{name}.runs"
    return len(path.read_text().split()) if path.exists() else 0
