"""The live page of the lab's hosts, as `remotejobs web` serves it in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.ports import Port
from lab.process import ServerProcess

USUAL_PORT = 4210


def url_at(port: Port) -> str:
    return f"http://127.0.0.1:{port.number}"


class LivePage:
    """`with LivePage(directory, port, inventory, api_url) as page:` it answers, to look at, without a login."""

    def __init__(self, directory: Path, port: Port, inventory: Path, api_url: str) -> None:
        self.url = url_at(port)
        self._port = port
        self._inventory = inventory
        self._environment = {**os.environ, "PREFECT_API_URL": api_url}
        self._process = ServerProcess("the live page", directory / "web.log")

    def __enter__(self) -> Self:
        words = ["-i", str(self._inventory), "--port", str(self._port.number), "--backups", "backups"]
        self._process.start([sys.executable, "-m", "remotejobs", "web", "all", *words], env=self._environment)
        try:
            self._process.await_ready(lambda: self._process.listens_on(self._port.number))
        except BaseException:
            self._process.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.end()
