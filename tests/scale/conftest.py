"""A server on PostgreSQL and Redis, twelve hosts, and workers for shards beside the one for what is split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.ports import free_ports
from lab.process import ServerProcess
from lab.servers.postgres import Postgres
from lab.servers.prefect.scaled_server import ScaledServer
from lab.servers.prefect.server import SHARDS
from tests.cluster import AT_A_TENTH, Cluster, running_cluster

HOSTS = tuple(f"h{number:02d}" for number in range(12))
SLOTS = 2  # shards that a worker has at a time


@dataclass(frozen=True)
class ScaledCluster:
    """`databases` is what the hosts back up; the server has a PostgreSQL of its own."""

    cluster: Cluster
    prefect: ScaledServer
    databases: Postgres

    def start_shard_worker(self, name: str) -> ServerProcess:
        return self.prefect.start_worker(name, pool=SHARDS, limit=SLOTS)


@pytest.fixture(scope="package")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScaledCluster]:
    directory = tmp_path_factory.mktemp("scaled")
    prefect = ScaledServer(directory / "prefect", port=free_ports(1)[0], settings=AT_A_TENTH)
    with running_cluster(directory, prefect, HOSTS) as cluster, Postgres(directory / "postgres") as databases:
        yield ScaledCluster(cluster, prefect, databases)


@pytest.fixture(scope="package")
def cluster(scaled: ScaledCluster) -> Cluster:
    return scaled.cluster


@pytest.fixture(scope="package")
def lead(scaled: ScaledCluster) -> ServerProcess:
    """The worker of what is split, and of `recover`."""
    return scaled.prefect.start_worker("lead")


@pytest.fixture(scope="package")
def one(scaled: ScaledCluster) -> ServerProcess:
    """A worker of shards that lives on."""
    return scaled.start_shard_worker("one")


def databases_on(hosts: str, databases: Postgres) -> dict[str, object]:
    """The part of a backup's plan that is a database, the same one for all `hosts`."""
    server = {"server": "127.0.0.1", "port": databases.port, "user": databases.user}
    return {"name": "users", "database": "users", "passfile": str(databases.passfile), "hosts": hosts, **server}


def home_of(cluster: Cluster, host: str) -> Path:
    return cluster.ssh.host(host).home
