"""The lab's application: a web server that says its version. It is run as a program of its own, and stops abruptly.

usage: application_server.py DIRECTORY PORT NAME

GET /health and any other path answer with name and version; /stream?SECONDS answers for so many seconds. A version
whose name starts with `bad` answers everything with 503. It ends at once on SIGTERM, in the middle of its answers: who
does not drain loses requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

WORK = 0.005  # seconds that a request takes
START = 0.3  # seconds until it listens


class ServedApplication:
    def __init__(self, name: str, version: str) -> None:
        self._body = json.dumps({"name": name, "version": version}).encode()
        self._status = "503 Service Unavailable" if version.startswith("bad") else "200 OK"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after another."""
        try:
            while path := await _read_request(reader):
                await self._answer(path, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        if path.startswith("/stream?"):
            return await _stream(float(path.partition("?")[2]), writer)
        if path != "/health":
            await asyncio.sleep(WORK)
        head = f"HTTP/1.1 {self._status}\r\nContent-Type: application/json\r\nContent-Length: {len(self._body)}\r\n\r\n"
        writer.write(head.encode() + self._body)
        await writer.drain()


async def _read_request(reader: asyncio.StreamReader) -> str:
    """The path of the next request; "" when there is none."""
    words = (await reader.readline()).decode("latin-1").split()
    while (await reader.readline()).strip():
        pass
    return words[1] if len(words) > 1 else ""


async def _stream(seconds: float, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(int(seconds * 10)):
        writer.write(b"1\r\n.\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)
    writer.write(b"0\r\n\r\n")


async def main(directory: Path, port: int, name: str) -> None:
    await asyncio.sleep(START)
    application = ServedApplication(name, (directory / "version").read_text().strip())
    server = await asyncio.start_server(application.serve, "127.0.0.1", port)
    (directory / "pid").write_text(f"{os.getpid()}\n")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
