"""One application server of the lab, on one of its hosts: kept running, as init would."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.process import ServerProcess
from remotejobs.operations.web import fetch

_HERE = Path(__file__).resolve().parent
_KEEP_RUNNING = 'until [ -e "$2/stop" ]; do setpriv --pdeathsig=TERM "$0" -ESs "$1" "$2" "$3" "$4"; done'


class Application:
    """`with Application(home, port, "web1", "1.0") as app:` serves version 1.0; `deploy` is how to bring another."""

    def __init__(self, home: Path, port: int, name: str, version: str) -> None:
        self.directory = home / "app"
        self.port = port
        self.name = name
        self._first = version
        self._server = ServerProcess(f"the application on {name}", self.directory / "server.log")

    def __enter__(self) -> Self:
        self.directory.mkdir(exist_ok=True)
        (self.directory / "stop").unlink(missing_ok=True)
        (self.directory / "version").write_text(f"{self._first}\n")
        shutil.copy(_HERE / "deploy.sh", self.directory)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.die()

    def start(self) -> None:
        """Start it again after it died."""
        program = str(_HERE / "application_server.py")
        words = ["sh", "-c", _KEEP_RUNNING, sys.executable, program, str(self.directory), str(self.port), self.name]
        self._server.start(words)
        self._server.await_ready(lambda: fetch(f"http://127.0.0.1:{self.port}/health").status > 0)

    def die(self) -> None:
        """End it at once, as when the host loses power."""
        (self.directory / "stop").touch()
        self._server.end()
        (self.directory / "stop").unlink()

    @property
    def deployed(self) -> str:
        """The version that lies there."""
        return (self.directory / "version").read_text().strip()
