"""Requests at a steady rate, on connections that stay open and on new ones, and what became of each of them.

usage: load_generator.py URL RATE REPORT     until SIGTERM, which makes it write REPORT (JSON) and end

A request counts as failed unless a whole answer with status 200 came in time. One that was sent on an open connection
just as the other side closed it, so that not a byte of an answer came, is sent again on a new one, as every browser
does (RFC 9112, 9.3.1); these are counted as `repeated`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

CLIENTS = 48  # half of them keep their connection; so many that slow answers do not lower the rate
TIMEOUT = 10.0  # seconds for an answer


class Closed(Exception):
    """The other side closed the connection before the first byte of an answer."""


class Client:
    """Asks again and again, at its own steady rate."""

    def __init__(self, url: str, *, keep: bool) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        close = "" if keep else "Connection: close\r\n"
        self._request = f"GET / HTTP/1.1\r\nHost: {self._host}\r\n{close}\r\n".encode()
        self._keep = keep
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.good = self.repeated = 0
        self.failures: list[str] = []
        self.seen: Counter[str] = Counter()

    async def run(self, begin: float, every: float) -> None:
        due = begin
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            # Behind a stall it goes on from now: a burst afterwards would be another load than the one asked for.
            due = max(due + every, time.monotonic() - every)
            await self._count()

    async def _count(self) -> None:
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the answer.
            async with asyncio.timeout(TIMEOUT):
                status, body = await self._ask()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, Closed, ValueError) as exc:
            self._drop()
            self.failures.append(f"{time.strftime('%H:%M:%S')} {type(exc).__name__}: {exc}")
            return
        if status != 200:
            self.failures.append(f"{time.strftime('%H:%M:%S')} status {status}: {body[:80]!r}")
            return
        self.good += 1
        said = json.loads(body)
        self.seen[f"{said['name']} {said['version']}"] += 1

    async def _ask(self) -> tuple[int, bytes]:
        if self._link and self._link[0].at_eof():
            self._drop()
        reused = self._link is not None
        try:
            return await self._exchange()
        except (Closed, ConnectionError):
            self._drop()
            if not reused:
                raise
            self.repeated += 1
            return await self._exchange()

    async def _exchange(self) -> tuple[int, bytes]:
        if self._link is None:
            self._link = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._link
        writer.write(self._request)
        await writer.drain()
        first = await reader.readline()
        if not first:
            raise Closed("closed without an answer")
        length, close = 0, not self._keep
        while line := (await reader.readline()).strip().lower():
            name, _, value = line.partition(b":")
            length = int(value) if name == b"content-length" else length
            close = close or (name == b"connection" and value.strip() == b"close")
        body = await reader.readexactly(length)
        if close:
            self._drop()
        return int(first.split()[1]), body

    def _drop(self) -> None:
        if self._link:
            self._link[1].close()
        self._link = None


async def main(url: str, rate: float, report: Path) -> None:
    clients = [Client(url, keep=number % 2 == 0) for number in range(CLIENTS)]
    every, begin = CLIENTS / rate, time.monotonic()
    runs = [asyncio.create_task(each.run(begin + at * every / CLIENTS, every)) for at, each in enumerate(clients)]
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    report.with_suffix(".ready").touch()
    await over.wait()
    seconds = time.monotonic() - begin
    for run in runs:
        run.cancel()
    await asyncio.gather(*runs, return_exceptions=True)
    report.write_text(json.dumps(_summary(clients, seconds)))


def _summary(clients: list[Client], seconds: float) -> dict[str, object]:
    kept, fresh = clients[::2], clients[1::2]
    return {
        "seconds": seconds,
        "good_kept": sum(client.good for client in kept),
        "good_new": sum(client.good for client in fresh),
        "repeated": sum(client.repeated for client in clients),
        "failures": sorted(line for client in clients for line in client.failures),
        "seen": dict(sorted(sum((client.seen for client in clients), Counter()).items())),
    }


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])))
