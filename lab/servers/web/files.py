"""A loopback web server for files of one directory that answers parts of them, and can hang up in the middle."""

from __future__ import annotations

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lab.loopback import LoopbackServer

_RANGE = re.compile(r"bytes=(\d+)-")


class WebFiles(LoopbackServer):
    """`with WebFiles(directory) as web:`; `web.url` ends with a slash.

    `hang_up_after` is how many bytes of an answer are sent before the connection is closed, once for each time in
    `hang_ups`. `began_at` has the first byte of each answer.
    """

    def __init__(self, directory: Path, *, hang_up_after: int = 0, hang_ups: int = 0) -> None:
        self.directory = directory
        self.hang_up_after = hang_up_after
        self.hang_ups = hang_ups
        self.began_at: list[int] = []
        super().__init__(_FileServer(self))

    def part(self, content: bytes) -> bytes:
        """What is sent of `content` this time."""
        if self.hang_ups and len(content) > self.hang_up_after:
            self.hang_ups -= 1
            return content[: self.hang_up_after]
        return content


class _FileServer(ThreadingHTTPServer):
    def __init__(self, files: WebFiles) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files


class _Handler(BaseHTTPRequestHandler):
    server: _FileServer

    def do_GET(self) -> None:
        files = self.server.files
        path = files.directory / self.path.lstrip("/")
        if not path.is_file():
            return self.send_error(404)
        content = path.read_bytes()
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        if wanted and start >= len(content):
            return self.send_error(416)
        files.began_at.append(start)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(files.part(content[start:]))
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Nothing on stderr."""
