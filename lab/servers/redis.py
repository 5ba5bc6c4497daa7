"""A real Redis on 127.0.0.1 that keeps nothing on disk."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.ports import Port
from lab.process import LabError, ServerProcess


class Redis:
    """`with Redis(directory) as redis:` gives a running server; `directory` gets its log."""

    def __init__(self, directory: Path) -> None:
        self.host = "127.0.0.1"
        self._port = Port()
        self.port = self._port.number
        self._directory = directory.resolve()
        self._server = ServerProcess("Redis", self._directory / "redis.log")

    def url(self, database: int = 0) -> str:
        return f"redis://{self.host}:{self.port}/{database}"

    def __enter__(self) -> Self:
        program = shutil.which("redis-server")
        if program is None:
            raise LabError("Redis is not installed. Run `make setup`, or install the package redis-server.")
        self._directory.mkdir(parents=True, exist_ok=True)
        words = {"bind": self.host, "port": str(self.port), "save": "", "appendonly": "no", "dir": str(self._directory)}
        options = [word for key, value in words.items() for word in (f"--{key}", value)]
        self._server.start([program, *options])
        self._server.await_ready(self._answers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end()

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as link:
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
        except OSError:
            return False
