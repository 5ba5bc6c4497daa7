"""A loopback HTTP server that keeps the notifications it receives, in place of a service for those on call."""

from __future__ import annotations

import json
import queue
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from lab.loopback import LoopbackServer

_WITHIN = 60.0


class Webhook(LoopbackServer):
    """`with Webhook() as webhook:`; `webhook.next()` waits for the next message and returns its JSON."""

    def __init__(self, *, status: int = 200) -> None:
        self._received: queue.Queue[dict[str, Any]] = queue.Queue()
        super().__init__(_WebhookServer(self._received, status))

    def next(self) -> dict[str, Any]:
        """The next message; `queue.Empty` when none comes within a minute."""
        return self._received.get(timeout=_WITHIN)

    @property
    def silent(self) -> bool:
        """Whether nothing more was received by now."""
        return self._received.empty()


class _WebhookServer(HTTPServer):
    def __init__(self, received: queue.Queue[dict[str, Any]], status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Listener)
        self.received = received
        self.status = status


class _Listener(BaseHTTPRequestHandler):
    server: _WebhookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.put(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """No line for each request: what was received is enough."""
