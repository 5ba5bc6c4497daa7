"""Few threads that serve many: whom to see next, and when."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from remotejobs.connections.threads import start_threads

T = TypeVar("T", bound=Hashable)


class Turns(Generic[T]):
    """Calls `serve` with each item when it is due, in at most `threads` threads, and for one item one call at a time.

    With `slow_after` a call that takes longer, in seconds, holds up no other: its thread does not count any more, and
    another takes its place. One of the `threads`, of which there are at least two, stays free to see to that.

    Threads start as they are needed, and end with `close`. What `serve` raises ends its thread: it is to raise nothing.
    """

    def __init__(self, serve: Callable[[T], None], *, threads: int, name: str, slow_after: float = math.inf) -> None:
        self._serve = serve
        self._most = threads
        self._at_once = threads if slow_after == math.inf else threads - 1
        self._name = name
        self._slow_after = slow_after
        self._threads = self._idle = 0  # of those that count
        self._calls: dict[int, float] = {}  # by thread: when each that counts began its call, the oldest first
        self._due: dict[T, float] = {}
        self._heap: list[tuple[float, int, T]] = []  # also of turns that came earlier, which are passed over
        self._order = itertools.count()
        self._served: set[T] = set()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: T, at: float = 0.0) -> None:
        """It is due at that time of `time.monotonic()`, if not earlier already."""
        with self._changed:
            if self._closed or self._due.get(item, at + 1) <= at:
                return
            self._due[item] = at
            if item not in self._served:
                self._queue(item)

    def drop(self, item: T) -> None:
        """It is not due any more."""
        with self._changed:
            self._due.pop(item, None)

    def close(self) -> None:
        """Nobody has a turn any more; a call under way ends by itself."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _queue(self, item: T) -> None:
        entry = (self._due[item], next(self._order), item)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:  # nobody waits for one that is due so soon
            self._call()

    def _call(self) -> None:
        if self._idle:
            self._changed.notify()
        elif self._threads < self._most:
            try:
                start_threads([(self._work, ())], name=self._name)
            except RuntimeError:  # there may be no more: those that there are serve it when they can
                if not self._threads:
                    raise
            else:
                self._threads += 1

    def _work(self) -> None:
        me = threading.get_ident()
        while (item := self._take(me)) is not None:
            self._serve(item)
            with self._changed:
                self._served.discard(item)
                if item in self._due:
                    self._queue(item)
                if self._calls.pop(me, None) is None:  # it took too long
                    if self._threads >= self._most:
                        return
                    self._threads += 1

    def _take(self, me: int) -> T | None:
        """The next that is due, once it is and may be served; None when it is over."""
        with self._changed:
            while not self._closed:
                due_in, free_in = self._next_in(), self._free_in()
                if due_in is not None and due_in <= 0 and free_in <= 0:
                    item = heapq.heappop(self._heap)[2]
                    del self._due[item]
                    self._served.add(item)
                    self._calls[me] = time.monotonic()
                    following = self._next_in()
                    if following is not None and (following <= 0 or not self._idle):
                        self._call()
                    return item
                self._idle += 1
                self._changed.wait(None if due_in is None else max(due_in, free_in))
                self._idle -= 1
            return None

    def _free_in(self) -> float:
        """Seconds until one more call may begin. Those that take too long are not counted from now on."""
        now = time.monotonic()
        while self._calls and (left := next(iter(self._calls.values())) + self._slow_after - now) <= 0:
            del self._calls[next(iter(self._calls))]
            self._threads -= 1
        return 0.0 if len(self._calls) < self._at_once else left

    def _next_in(self) -> float | None:
        """Seconds until the next is due, none where it is over already."""
        while self._heap:
            at, _, item = self._heap[0]
            if item not in self._served and self._due.get(item) == at:
                return at - time.monotonic()
            heapq.heappop(self._heap)
        return None
