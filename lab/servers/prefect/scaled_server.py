"""A Prefect server as for a large fleet: PostgreSQL, Redis, several processes for the API, one for the services."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Self

from lab.process import ServerProcess
from lab.servers.postgres import Postgres
from lab.servers.prefect.server import PROJECT, PrefectServer, read_settings
from lab.servers.redis import Redis

API_PROCESSES = 2
_SETTINGS = PROJECT / "deployments" / "scaled.env"
_DATABASE = "prefect"


class ScaledServer(PrefectServer):
    """Like `PrefectServer`, whose workers and deployments it has, with the settings of deployments/scaled.env.

    `durable` makes PostgreSQL write to disk what it says it has written, as one does outside of a lab.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        durable: bool = False,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(directory, port=port, settings=settings)
        self.postgres = Postgres(self.directory / "postgres", durable=durable)
        self.redis = Redis(self.directory / "redis")
        self._services = ServerProcess("the services of the Prefect server", self.directory / "services.log")
        self._stack = ExitStack()

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **super().environment,
            **read_settings(_SETTINGS),
            "PREFECT_API_DATABASE_CONNECTION_URL": self.postgres.url(_DATABASE, driver="postgresql+asyncpg"),
            "PREFECT_REDIS_MESSAGING_URL": self.redis.url(0),
            "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": self.redis.url(0),
            "PREFECT_SERVER_DOCKET_URL": self.redis.url(1),
        }

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.postgres)
            stack.enter_context(self.redis)
            self.postgres.query(f"CREATE DATABASE {_DATABASE}")
            super().__enter__()
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """End API and services; PostgreSQL and Redis stay until the end of the lab."""
        self._services.end()
        super().stop()

    def start(self) -> None:
        self._run("deployments.prepare")
        self._start(self._server, "server", "start", "--no-services", "--workers", str(API_PROCESSES))
        self._start(self._services, "server", "services", "start")

    def __exit__(self, *error: object) -> None:
        with self._stack:
            self.end_workers()
            self.stop()
