"""One server for all tests of recovery, three hosts, and workers that die. Nothing is shared by the workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from lab.ports import free_ports
from lab.process import ServerProcess
from lab.servers.prefect.api import RunStatus
from lab.servers.prefect.server import POOL, PrefectServer
from tests.cluster import AT_A_TENTH, Cluster, running_cluster
from tests.documents import program_in
from tests.prepared import migrated_database

HOSTS = ("db1", "db2", "files1")
# An end is seen at once, for the host waits for it; more polls only cost the server that is under test its time.
POLL = 15


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    database = migrated_database()
    prefect = PrefectServer(directory / "prefect", port=free_ports(1)[0], settings=AT_A_TENTH, database=database)
    with running_cluster(directory, prefect, HOSTS) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def survivor(cluster: Cluster) -> ServerProcess:
    """A worker that lives on."""
    return cluster.prefect.start_worker("survivor")


@contextmanager
def paused(worker: ServerProcess) -> Iterator[None]:
    """Meanwhile it takes no run."""
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def command_on_all(cluster: Cluster, name: str) -> dict[str, object]:
    """What run-command is given."""
    until = {"delay": POLL, "retries": 1000}
    return {"hosts": "all", "command": cluster.command(name), "label": name, "until": until}


def start_command(cluster: Cluster, name: str) -> RunStatus:
    """A run of run-command on all hosts; its jobs end when they are let go."""
    return cluster.start("run-command", **command_on_all(cluster, name))


def start_own_flow(cluster: Cluster, name: str) -> RunStatus:
    """A run of the README's program on all hosts, which stands in a directory of its own."""
    own = cluster.directory / f"own-{name}"
    own.mkdir()
    (own / "vacuum.py").write_text(program_in("README.md"))
    (own / "vacuumdb").write_text(f"#!/bin/sh\n{cluster.command(name)}\n")
    (own / "vacuumdb").chmod(0o755)
    deployed = cluster.api.deploy(f"vacuum-{name}", own, "vacuum.py:vacuum", pool=POOL, tags=["resumable"])
    path = {"PATH": f"{own}:{os.environ['PATH']}"}
    given: dict[str, object] = {"access": cluster.access.model_dump(), "hosts": "all", "job": {"env": path}}
    return cluster.api.run(deployed, given)


def start_backup(cluster: Cluster, name: str) -> RunStatus:
    """A run of nightly-backup on db1, of which there is only one at a time."""
    item = {"name": name, "hosts": "db1", "command": f"{cluster.command(name)}; echo saved"}
    plan = {"directory": "backups", "min_free_mib": 0, "commands": [item]}
    return cluster.start("nightly-backup", plan=plan, poll=POLL)


def send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
