"""A Prefect server on SQLite, a worker and the deployments of prefect.yaml, all on 127.0.0.1 and in one directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NoReturn, Self

import certifi
import httpx

from lab.ports import port_or_free
from lab.process import LabError, ServerProcess
from lab.servers.prefect.api import PrefectApi

PROJECT = Path(__file__).resolve().parents[3]
POOL = "remotejobs"
SHARDS = "remotejobs-shards"  # the pool of shards
USUAL_PORT = 4200
_SETTINGS = PROJECT / "deployments" / "server.env"
# A demonstration should not wait for a worker that asks every ten seconds.
_WORKER_ASKS_EVERY = "2"
_AS_IT_IS = MappingProxyType(
    {"PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false", "PREFECT_API_BLOCKS_REGISTER_ON_START": "false"}
)
_DEPLOY_WITHIN = 600  # seconds, on a machine that has much else to do
_RESTART_AFTER = 5.0  # seconds, as in deployments/systemd


class PrefectServer:
    """`with PrefectServer(directory) as server:` starts it at once; `await_ready` says when it can be asked.

    The user's own Prefect is neither read nor changed: home, database and every setting are the lab's.
    `project` is where prefect.yaml and the flows are. `port` is by default the usual one, or a free one where
    another process has that. `settings` go before those of deployments/server.env. `database` is a file of SQLite to
    begin with, of this very version of Prefect: it is copied, and taken to have all that a server
    writes there when it starts.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        project: Path = PROJECT,
        settings: Mapping[str, str] = MappingProxyType({}),
        database: Path | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.project = project
        self._settings = dict(settings)
        self._first_database = database
        if port is None:
            self._reserved = port_or_free(USUAL_PORT)
            port = self._reserved.number
        self.port = port
        self._server = ServerProcess("the Prefect server", self.directory / "server.log")
        self._workers: dict[str, tuple[ServerProcess, Callable[[], None]]] = {}  # with what starts it

    @property
    def url(self) -> str:
        """Where a browser finds the UI."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.url}/api"

    @property
    def pid(self) -> int:
        """The server's process, without its workers."""
        return self._server.pid

    @property
    def database(self) -> Path:
        """SQLite's file."""
        return self.directory / "prefect.db"

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a Prefect program work with this server and no other."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return {
            **own,
            **read_settings(_SETTINGS),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
            "PREFECT_HOME": str(self.directory),
            # A worker makes `runner_storage` there, which under /tmp belongs to the first user.
            "TMPDIR": str(self._temporary),
            "PREFECT_API_URL": self.api_url,
            "PREFECT_API_SSL_CERT_FILE": str(self.certificates),
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_WORKER_QUERY_SECONDS": _WORKER_ASKS_EVERY,
            "PREFECT_CLI_PROMPT": "false",
            "PREFECT_CLI_COLORS": "false",
            **({} if self._first_database is None else _AS_IT_IS),
            **self._settings,
        }

    @property
    def certificates(self) -> Path:
        """One certificate for clients that never ask for one: with the usual 140 each of them takes 20 ms to make."""
        return self.directory / "ca.pem"

    @property
    def _temporary(self) -> Path:
        return self.directory / "tmp"

    def __enter__(self) -> Self:
        self._temporary.mkdir(parents=True, exist_ok=True)
        self.certificates.write_text(first_certificate())
        if self._first_database is not None:
            shutil.copy(self._first_database, self.database)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_workers()
        self.stop()

    def start(self) -> None:
        """Start the server, also after `stop`: its database is kept."""
        self._start(self._server, "server", "start")

    def stop(self) -> None:
        """End the server alone; workers and flow runs stay."""
        self._server.end()

    def await_ready(self) -> None:
        self._server.await_ready(self._healthy)

    def start_worker(self, name: str = "lab", *, pool: str = POOL, limit: int | None = None) -> ServerProcess:
        """Start a process worker with a home of its own; its work pool exists, and knows it, when this returns.

        `limit` is how many flow runs it takes at a time.
        """
        worker = ServerProcess(f"the Prefect worker {name}", self.directory / f"worker-{name}.log")
        home = {"PREFECT_HOME": str(self.directory / f"home-{name}")}
        words = ["--pool", pool, "--type", "process", "--name", name, *(["--limit", str(limit)] if limit else [])]
        start = partial(self._start, worker, "worker", "start", *words, environment=home)
        self._workers[name] = worker, start
        start()
        with PrefectApi(self.api_url) as api:
            worker.await_ready(lambda: api.worker_is_online(pool, name))
        return worker

    def end_workers(self) -> None:
        """End every worker, with the flow runs that it has."""
        for worker, _ in self._workers.values():
            worker.end()
        self._workers.clear()

    def worker_pid(self, name: str) -> int:
        """The process of a worker; its flow runs are processes that it started."""
        return self._workers[name][0].pid

    def keep_workers(self, say: Callable[[str], None]) -> NoReturn:
        """Return never; `LabError` when the server ends by itself."""
        while True:
            self.restart_workers(say)
            time.sleep(1)

    def restart_workers(self, say: Callable[[str], None]) -> None:
        """Start each worker again that has ended, as its unit would. `LabError` when the server has ended by itself."""
        if not self._server.alive:
            raise LabError(f"{self._server.name} ended by itself. {self._server.last_words()}")
        for name, (worker, start) in self._workers.items():
            if not worker.alive:
                time.sleep(_RESTART_AFTER)
                start()
                say(f"The worker {name} ended. It is started again, as process {worker.pid}.")

    def deploy(self) -> None:
        """Make the server know every deployment of prefect.yaml."""
        with PrefectApi(self.api_url) as api:
            api.make_pool(POOL)
        self._run("prefect", "--no-prompt", "deploy", "--all")

    def declare(self, *options: str, **environment: str) -> str:
        """What `make deploy` does: deployments, automations, limits, blocks and pools. Returns what it said."""
        return self._run("deployments", *options, environment=environment)

    def _run(self, *module: str, environment: Mapping[str, str] = MappingProxyType({})) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *module],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_DEPLOY_WITHIN,
            check=False,
            env={**self.environment, **environment},
            cwd=self.project,
        )
        if done.returncode:
            raise LabError(f"python -m {' '.join(module)} ended with {done.returncode}:\n{done.stdout.strip()}")
        return done.stdout

    def _start(self, server: ServerProcess, *words: str, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
        server.start(command, env={**self.environment, **environment}, cwd=self.project)

    def _healthy(self) -> bool:
        """Whether it answers, and it is not another server that does."""
        if not self._server.listens_on(self.port):
            return False
        try:
            return httpx.get(f"{self.api_url}/health", timeout=5, verify=False).is_success
        except httpx.TransportError:
            return False


def first_certificate() -> str:
    """Of those that come with Python's HTTP clients."""
    mark, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----\n"
    _, _, rest = Path(certifi.where()).read_text().partition(mark)
    return mark + rest.partition(end)[0] + end


def read_settings(path: Path) -> dict[str, str]:
    """The variables of an EnvironmentFile."""
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}
