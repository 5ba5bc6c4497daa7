"""Debian's Caddy on loopback, with its admin API, before the lab's application servers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.ports import Port
from lab.process import ServerProcess
from remotejobs.operations.web import fetch

CADDY = "/usr/bin/caddy"
# For the whole machine: connections that wait to be accepted go to the next listener of the port when theirs closes.
_MIGRATE = Path("/proc/sys/net/ipv4/tcp_migrate_req")


class Caddy:
    """`with Caddy(directory, {"web1": 8001}) as caddy:`; each of its upstreams has the name of its server as `@id`.

    It opens its port anew at each change, and would reset what waits there: the kernel is told to hand that on.
    """

    def __init__(self, directory: Path, servers: Mapping[str, int]) -> None:
        self.directory = directory
        self._port, self._admin = Port(), Port()
        self._servers = servers
        self._server = ServerProcess("Caddy", directory / "caddy.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port.number}"

    @property
    def port(self) -> int:
        return self._port.number

    @property
    def api(self) -> str:
        """The URL of its admin API, without a slash at the end."""
        return f"http://127.0.0.1:{self._admin.number}"

    def __enter__(self) -> Self:
        self._migrated = _MIGRATE.read_text()
        _MIGRATE.write_text("1")
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "caddy.json"
        path.write_text(json.dumps(self._configuration))
        # It keeps what came over its API, and its certificates, in the home of its user.
        environment = {**os.environ, "HOME": str(self.directory), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": ""}
        self._server.start([CADDY, "run", "--config", str(path)], env=environment)
        self._server.await_ready(lambda: fetch(f"{self.api}/config/").status == 200)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end()
        _MIGRATE.write_text(self._migrated)

    def upstreams(self) -> list[str]:
        """The names of those that get requests."""
        return [each["@id"] for each in json.loads(fetch(f"{self.api}/id/app/upstreams").body)]

    @property
    def _configuration(self) -> dict[str, object]:
        upstreams = [{"@id": name, "dial": f"127.0.0.1:{port}"} for name, port in self._servers.items()]
        proxy = {
            "@id": "app",
            "handler": "reverse_proxy",
            "upstreams": upstreams,
            "load_balancing": {"selection_policy": {"policy": "round_robin"}},
        }
        site = {
            "listen": [f"127.0.0.1:{self._port.number}"],
            "automatic_https": {"disable": True},
            "routes": [{"handle": [proxy]}],
        }
        return {
            "admin": {"listen": f"127.0.0.1:{self._admin.number}"},
            "apps": {"http": {"servers": {"site": site}}},
        }
