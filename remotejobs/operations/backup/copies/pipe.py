"""What one host gives, another takes at the same time, with little of it in memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_CHUNKS = 32  # under way: at most 8 MiB
_CHUNK = 256 * 1024


class _NobodyReads(Exception):
    """The end for what is still being fetched."""


class Pipe:
    """`with Pipe(fetch) as pipe:` runs `fetch(write)` in a thread; `pipe.read` gives what it writes, then b"".

    What `fetch` raises, `read` raises.
    """

    def __init__(self, fetch: Callable[[Callable[[bytes], None]], None]) -> None:
        self._fetch = fetch
        self._queue: queue.Queue[bytes | Exception] = queue.Queue(_CHUNKS)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="copy", daemon=True)

    def read(self, _count: int) -> bytes:
        item = self._queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._fetch(self._write)
            self._put(b"")
        except _NobodyReads:
            pass
        except Exception as exc:  # noqa: BLE001 - it is raised where it is read
            self._put(exc)

    def _write(self, data: bytes) -> None:
        for at in range(0, len(data), _CHUNK):
            if not self._put(data[at : at + _CHUNK]):
                raise _NobodyReads

    def _put(self, item: bytes | Exception) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
