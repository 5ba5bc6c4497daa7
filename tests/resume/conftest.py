"""A real server as `make deploy` makes it, three real hosts, and workers that die. Nothing is shared by the workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from lab.ports import free_ports
from lab.prefect_api import PrefectApi, Run
from lab.prefect_server import PrefectServer
from lab.process import Server
from lab.runs import await_state, deployment, start
from lab.sshd import SshLab
from remotejobs.model import Record
from tasks.access import Access
from tasks.connections import connections, jobs_on
from tests import awaiting

HOSTS = ("db1", "db2", "files1")
WITHIN = 400.0  # seconds; far more than it takes, for machines that have much else to do
await_true = partial(awaiting.await_true, within=WITHIN)


@dataclass(frozen=True)
class Night:
    """What runs in the tests. `go` lets every job end that waits for the file of its name."""

    prefect: PrefectServer
    api: PrefectApi
    ssh: SshLab
    access: Access
    directory: Path

    def command(self, name: str) -> str:
        """Leaves a line each time it is run, and waits for its file."""
        return f'echo x >>"$HOME/{name}.runs"; until [ -e {self.directory}/{name} ]; do sleep 0.2; done'

    def on_all_hosts(self, name: str) -> dict[str, object]:
        """What run-command is given."""
        given = {"access": self.access.model_dump(), "hosts": "all", "command": self.command(name), "label": name}
        return {**given, "until": {"delay": 2, "retries": 1000}}

    def start_command(self, name: str) -> Run:
        """A run of run-command on all hosts that is under way on each."""
        run = start(self.api, "run-command", self.on_all_hosts(name))
        await_true(lambda: self.runs_of(name) == [1, 1, 1])
        return run

    def start_backup(self, name: str) -> Run:
        """A run of nightly-backup, of which there is only one at a time, under way on db1."""
        item = {"name": name, "hosts": "db1", "command": f"{self.command(name)}; echo saved"}
        plan = {"directory": "backups", "min_free_mib": 0, "commands": [item]}
        run = start(self.api, "nightly-backup", {"access": self.access.model_dump(), "plan": plan, "poll": 2})
        await_true(lambda: self.runs_of(name)[0] == 1)
        return run

    def go(self, name: str) -> None:
        (self.directory / name).touch()

    def runs_of(self, name: str) -> list[int]:
        """How often the command was run, on each host."""
        files = [host.home / f"{name}.runs" for host in self.ssh.hosts]
        return [len(file.read_text().split()) if file.exists() else 0 for file in files]

    def jobs_of(self, run: Run, host: str) -> list[Record]:
        return [record for record in jobs_on(self.access, host).list() if record.jid.endswith(str(run.id))]

    def rescues_of(self, run: Run) -> list[Run]:
        """The runs that were started to look after it."""
        known = self.api.runs_of(deployment(self.api, "rescue"))
        return [rescue for rescue in known if rescue.parameters.get("flow_run_id") == str(run.id)]

    def await_state(self, run: Run, *names: str) -> Run:
        return await_state(self.api, run, lambda now: now.state is not None and now.state.name in names, WITHIN)


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    directory = tmp_path_factory.mktemp("night")
    with ExitStack() as stack:
        prefect = stack.enter_context(PrefectServer(directory / "prefect", port=free_ports(1)[0]))
        ssh = stack.enter_context(SshLab(directory / "hosts", HOSTS))
        access = Access(inventory=str(ssh.write_inventory(directory / "inventory.yml")))
        prefect.await_ready()
        api = stack.enter_context(PrefectApi(prefect.api_url))
        prefect.declare()
        stack.callback(connections().close)
        yield Night(prefect, api, ssh, access, directory)


@pytest.fixture(scope="module")
def worker(night: Night) -> Server:
    """The only one, and it lives on."""
    night.prefect.end_workers()
    return night.prefect.start_worker("survivor")


def send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
