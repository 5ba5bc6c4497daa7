"""Debian's nginx on loopback, before the lab's application servers."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.ports import Port
from lab.process import ServerProcess

NGINX = "/usr/sbin/nginx"

# No other server is tried and none is left alone: a request that is sent to a server that is down is lost, and counted.
_CONFIGURATION = """\
user root;
worker_processes 2;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/conf.d/*;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream off;
        }}
    }}
}}
"""
_UPSTREAM = """\
# The servers of the site.
upstream app {{
{servers}
    keepalive 8;
}}
"""


class Nginx:
    """`with Nginx(directory, {"web1": 8001}) as nginx:`; its upstream is in the file `nginx.file`.

    `options` are words of a server's line, by its name: `backup`, `down`.
    """

    def __init__(self, directory: Path, servers: Mapping[str, int], options: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.file = directory / "conf.d" / "upstream.conf"
        self._port = Port()
        self._servers = servers
        self._options = options or {}
        self._server = ServerProcess("nginx", directory / "nginx.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._port.number

    @property
    def settings(self) -> dict[str, Any]:
        """The section `nginx` of an update's balancer, but for its hosts."""
        return {
            "file": str(self.file),
            "server": "127.0.0.1:{app_port}",
            "command": f"{NGINX} -c {self.directory}/nginx.conf",
            "pid_file": f"{self.directory}/nginx.pid",
        }

    def __enter__(self) -> Self:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        (self.directory / "nginx.conf").write_text(_CONFIGURATION.format(directory=self.directory, port=self.port))
        lines = (
            f"    server 127.0.0.1:{port} max_fails=0 {self._options.get(name, '')}".rstrip() + ";"
            for name, port in self._servers.items()
        )
        self.file.write_text(_UPSTREAM.format(servers="\n".join(lines)))
        self._server.start([NGINX, "-c", f"{self.directory}/nginx.conf"])
        self._server.await_ready(lambda: self._server.listens_on(self.port))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end()

    def reload(self) -> None:
        """Let it read its files, as its service does; it comes into force a moment later."""
        os.kill(self._server.pid, signal.SIGHUP)

    def line(self, name: str) -> str:
        """The words of a server's line in the file."""
        wanted = f"server 127.0.0.1:{self._servers[name]} "
        return next(line.strip(" ;") for line in self.file.read_text().splitlines() if wanted in line.replace(";", " "))

    def is_down(self, name: str) -> bool:
        """Whether its file says that a server gets no requests."""
        return "down" in self.line(name).split()
