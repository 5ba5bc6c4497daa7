"""A small HTTP server in this process, on a free port of loopback, for as long as a block lasts."""

from __future__ import annotations

import threading
from http.server import HTTPServer
from types import TracebackType
from typing import Self


class LoopbackServer:
    """`with`: it answers. `url` ends with a slash."""

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
