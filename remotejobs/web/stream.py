"""What an open page gets, as server-sent events: everything at first, and then what changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator
from concurrent.futures import Executor, Future

from remotejobs.agent.request import Read
from remotejobs.connections.base import Stay
from remotejobs.errors import RemoteJobsError, Unreachable
from remotejobs.model import TAIL_BYTES, Record
from remotejobs.text import visible
from remotejobs.web.board import Board, as_json

CALM = 0.4  # seconds between two messages of a page: a crowd of changes comes in one
SOON = 1.0  # seconds until the list of what needs a person is made again
ALIVE = 15.0  # seconds at most between two messages: without one, page and server notice that the other is gone
_LOOK = 1.0  # seconds that a host waits for the end of a job before it sends new output
_BEHIND = 512 * 1024  # bytes of a stream that are not sent yet: then it goes on with the last 64 KiB
_AGAIN = 1.0  # seconds until a host that is away is asked again


def event(name: str, data: str) -> str:
    """One message; `data` is JSON, which has no line break in it."""
    return f"event: {name}\ndata: {data}\n\n"


class _Changes:
    """The hosts that changed since they were last sent. Set by any thread, read by one task."""

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


async def fleet_events(board: Board) -> AsyncGenerator[str, None]:
    """`hosts`, `runs` and `needs`, each only where it changed, or `alive`. `now` is the clock that the times are of."""
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
            hosts = [board.host(name) for name in names if name]
            yield event("hosts", as_json(hosts)) if hosts else event("alive", json.dumps(time.time()))
            await asyncio.sleep(CALM)
    finally:
        board.leave(changes)


class _Tail:
    """The two streams of a job as far as they are sent: `-1` in `at` is the last 64 KiB, whatever they are."""

    def __init__(self) -> None:
        self.at = {"stdout": -1, "stderr": -1}
        self._decoders = {name: getincrementaldecoder("utf-8")("replace") for name in self.at}

    def take(self, record: Record) -> dict[str, dict[str, object]]:
        """What is new by a record; `skipped` is how many bytes of the stream are not sent before the text."""
        more = {}
        for name, content, start, total in _streams(record):
            skipped = start if self.at[name] < 0 else 0
            self.at[name] = start + len(content)
            if content or skipped:
                text = visible(self._decoders[name].decode(content))
                more[name] = {"text": text, "skipped": skipped, "bytes": total}
            if total - self.at[name] > _BEHIND:  # it is written faster than it is sent, and is to be live
                self.at[name] = -1
                self._decoders[name].reset()
        return more

    def is_whole(self, record: Record) -> bool:
        return record.finished and all(self.at[name] >= total for name, _, _, total in _streams(record))


async def output_events(board: Board, pool: Executor, host: str, jid: str) -> AsyncGenerator[str, None]:
    """`output` of both streams from the last 64 KiB on, `away` while the host cannot be asked, `end` or `gone`.

    `command` comes first, and once more when the host is back.
    """
    stay, tail, command = Stay(), _Tail(), ""
    asked: Future[Record] | None = None
    yield event("details", json.dumps(board.details(host, jid)))
    try:
        while not board.stopped:
            wait = 0.0 if -1 in tail.at.values() else _LOOK
            try:
                read = Read(jid, tail.at["stdout"], tail.at["stderr"], TAIL_BYTES)
                asked = pool.submit(_ask, board, host, read, wait, stay)
                record = await asyncio.wrap_future(asked)
            except RemoteJobsError as exc:
                again = isinstance(exc, Unreachable) and exc.transient
                yield event("away" if again else "gone", json.dumps(str(exc)))
                if not again:
                    return
                command = ""
                await asyncio.sleep(_AGAIN)
                continue
            if command != record.cmd and not record.finished:
                command = record.cmd
                yield event("command", json.dumps(visible(command)))
            more = tail.take(record)
            yield event("output", json.dumps(more)) if more else ": nothing new\n\n"
            if tail.is_whole(record):
                yield event("end", json.dumps({"cmd": visible(record.cmd), "state": record.state.value}))
                return
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
