"""What a page gets while it is open, as server-sent events: all at first, and then what changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from codecs import getincrementaldecoder
from collections.abc import AsyncIterator
from concurrent.futures import Executor, Future

from remotejobs.agent.request import Read
from remotejobs.connections.base import Stay
from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.model import TAIL_BYTES, Record
from remotejobs.text import visible
from remotejobs.web.board import Board, as_json

CALM = 0.4  # seconds between two messages of a page: a crowd of changes comes in one
SOON = 1.0  # seconds until what needs a person is looked through once more
ALIVE = 15.0  # seconds: a page that is gone is noticed when something is sent to it
_LOOK = 1.0  # seconds that a host waits for the end of a job before it says what is new of its output
_AGAIN = 1.0  # seconds until a host that is away is asked again


def event(name: str, data: str) -> str:
    """One message; `data` is JSON, which has no line break in it."""
    return f"event: {name}\ndata: {data}\n\n"


class _Changes:
    """The hosts that changed since they were last sent. Told by any thread, read by one task."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._some = asyncio.Event()
        self._hosts: set[str] = set()

    def __call__(self, host: str) -> None:
        with contextlib.suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._add, host)

    def _add(self, host: str) -> None:
        self._hosts.add(host)
        self._some.set()

    async def within(self, seconds: float) -> list[str]:
        """Their names, once there are any; "" for something that is of no host; nothing after so many seconds."""
        try:
            await asyncio.wait_for(self._some.wait(), seconds)
        except TimeoutError:
            return []
        found, self._hosts = self._hosts, set()
        self._some.clear()
        return sorted(found)


async def fleet_events(board: Board) -> AsyncIterator[str]:
    """`hosts`, `runs` and `needs`, each only where it changed. `now` is the clock that the times are of."""
    changes, sent = _Changes(), dict[str, str]()

    def others() -> list[str]:
        new = {"runs": json.dumps(board.runs()), "needs": board.needs()}
        found = [event(name, data) for name, data in new.items() if sent.get(name) != data]
        sent.update(new)
        return found

    board.listen(changes)
    try:
        yield event("now", json.dumps(time.time()))
        yield event("hosts", as_json(map(board.host, board.hosts)))
        while not board.stopped:
            for message in others():
                yield message
            names = await changes.within(SOON if board.stale else ALIVE)
            if hosts := [board.host(name) for name in names if name]:
                yield event("hosts", as_json(hosts))
            elif not names:
                yield ": alive\n\n"
            await asyncio.sleep(CALM)
    finally:
        board.leave(changes)


async def output_events(board: Board, pool: Executor, host: str, jid: str) -> AsyncIterator[str]:
    """`output` of both streams from the last 64 KiB on, `away` while the host cannot be asked, `end` or `gone`."""
    stay = Stay()
    asked: Future[Record] | None = None
    decode = {name: getincrementaldecoder("utf-8")("replace").decode for name in ("stdout", "stderr")}
    at = {"stdout": -1, "stderr": -1}
    yield event("details", json.dumps(board.details(host, jid)))
    try:
        while not board.stopped:
            wait = 0.0 if at["stdout"] < 0 else _LOOK
            read = Read(jid, at["stdout"], at["stderr"], TAIL_BYTES)
            try:
                asked = pool.submit(_ask, board, host, read, wait, stay)
                record = await asyncio.wrap_future(asked)
            except RemoteJobsError as exc:
                again = isinstance(exc, Unreachable) and exc.transient
                yield event("away" if again else "gone", json.dumps(str(exc)))
                if not again:
                    return
                await asyncio.sleep(_AGAIN)
                continue
            more = {}
            for name, content, start, total in _streams(record):
                skipped = start if at[name] < 0 else 0
                at[name] = start + len(content)
                if content or skipped:
                    text = visible(decode[name](content))
                    more[name] = {"text": text, "skipped": skipped, "bytes": total}
            if more:
                yield event("output", json.dumps(more))
            if record.finished and all(at[name] >= total for name, _, _, total in _streams(record)):
                yield event("end", json.dumps({"cmd": visible(record.cmd), "state": record.state.value}))
                return
            yield event("command", json.dumps(visible(record.cmd)))
    finally:
        # Not before the thread that asks is done with it.
        if asked:
            asked.add_done_callback(lambda _: stay.close())


def _ask(board: Board, host: str, read: Read, wait: float, stay: Stay) -> Record:
    return board.live.fleet.jobs(host).status([read], wait=wait, stay=stay)[0]


def _streams(record: Record) -> list[tuple[str, bytes, int, int]]:
    return [
        ("stdout", record.stdout, record.stdout_from, record.stdout_bytes),
        ("stderr", record.stderr, record.stderr_from, record.stderr_bytes),
    ]
