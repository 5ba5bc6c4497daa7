"""Debian's HAProxy on loopback, in master-worker mode, before the lab's application servers."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.ports import Port
from lab.process import LabError, ServerProcess

HAPROXY = "/usr/sbin/haproxy"
_WITHIN = 20.0

# No redispatch: a request that is sent to a server that is down is lost, and counted.
_CONFIGURATION = """\
global
    stats socket {socket} mode 600 level {level}
    server-state-file {state}
    hard-stop-after 20s

defaults
    mode http
    load-server-state-from-file global
    option httpchk GET /health
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 5s
    default-server inter 200ms fall 2 rise 2 weight 100

frontend site
    bind 127.0.0.1:{port}
    default_backend app

backend app
    balance roundrobin
{servers}
"""


class Haproxy:
    """`with Haproxy(directory, {"web1": 8001}) as proxy:`; `reload` is the reload of its service.

    `options` are words of a server's line in haproxy.cfg, by its name: `backup`, `weight 10`.
    """

    def __init__(
        self,
        directory: Path,
        servers: Mapping[str, int],
        *,
        check: bool = True,
        options: Mapping[str, str] | None = None,
        level: str = "admin",
    ) -> None:
        self.directory = directory
        self.socket = directory / "admin.sock"
        self.state = directory / "server-state"
        self._port = Port()
        self.port = self._port.number
        self._servers = servers
        self._check = "check" if check else "no-check"
        self._options = options or {}
        self._level = level
        self._server = ServerProcess("HAProxy", directory / "haproxy.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state.unlink(missing_ok=True)
        self._configuration.write_text(
            _CONFIGURATION.format(
                socket=self.socket,
                level=self._level,
                state=self.state,
                port=self.port,
                servers="\n".join(
                    f"    server {name} 127.0.0.1:{port} {self._check} {self._options.get(name, '')}".rstrip()
                    for name, port in self._servers.items()
                ),
            )
        )
        self._server.start([HAPROXY, "-W", "-f", str(self._configuration)])
        self._server.await_ready(self._all_up)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end()

    def reload(self, *, keep_state: bool = True) -> None:
        """Replace the worker by a new one. `keep_state`: the servers' states are saved before, as they should be."""
        if keep_state:
            self.state.write_text(self.say("show servers state"))
        else:
            self.state.unlink(missing_ok=True)
        before = self._worker()
        os.kill(self._server.pid, signal.SIGUSR2)
        self._await(lambda: self._worker() not in ("", before), "was not reloaded")

    def say(self, line: str) -> str:
        """One line of its runtime API, and the answer."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(_WITHIN)
            link.connect(str(self.socket))
            link.sendall(line.encode() + b"\n")
            return b"".join(iter(lambda: link.recv(65536), b"")).decode()

    def status(self, name: str) -> str:
        """What its statistics say of a server: UP, DOWN, DRAIN."""
        rows = (line.split(",") for line in self.say("show stat").splitlines())
        return next(row[17] for row in rows if row[1:2] == [name])

    def weight(self, name: str) -> str:
        """The effective weight of a server."""
        rows = (line.split(",") for line in self.say("show stat").splitlines())
        return next(row[18] for row in rows if row[1:2] == [name])

    def connections(self, name: str) -> int:
        """How many requests a server has under way."""
        rows = (line.split(",") for line in self.say("show stat").splitlines())
        return next(int(row[4]) for row in rows if row[1:2] == [name])

    def await_status(self, name: str, status: str) -> None:
        self._await(lambda: self.status(name).startswith(status), f"never said {status} of {name}")

    @property
    def _configuration(self) -> Path:
        return self.directory / "haproxy.cfg"

    def _all_up(self) -> bool:
        return self._worker() != "" and all(
            self.status(name).startswith("MAINT" if "disabled" in self._options.get(name, "") else ("UP", "no check"))
            for name in self._servers
        )

    def _worker(self) -> str:
        try:
            found = re.search(r"^Pid: (\d+)", self.say("show info"), re.MULTILINE)
        except OSError:
            return ""
        return found[1] if found else ""

    def _await(self, come: Callable[[], bool], failure: str) -> None:
        deadline = time.monotonic() + _WITHIN
        while not come():
            if time.monotonic() > deadline:
                raise LabError(f"HAProxy {failure}. {self._server.last_words()}")
            time.sleep(0.02)
