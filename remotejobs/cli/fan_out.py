"""Many hosts at work in threads, reported in the main thread: it draws, and Ctrl-C reaches it at any time."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet, HostResult

MOST_UNREAD = 64  # news; more of it makes the hosts' threads wait, so that memory stays bounded
NOTICE = 0.2  # seconds

N = TypeVar("N")
Q = TypeVar("Q")
T = TypeVar("T")


def side_by_side(
    fleet: Fleet, work: Callable[[HostJobs, Callable[[N], None]], T], *, waits: bool = True
) -> Generator[N | HostResult[T]]:
    """`work(jobs, report)` on every host: yields what it reports and, once for each host, what came of it.

    Work that `waits` takes a thread for each host, as `Fleet.each` says.
    """
    news: queue.Queue[N | HostResult[T] | None] = queue.Queue(MOST_UNREAD)

    def watch() -> None:
        try:
            for result in fleet.each(lambda jobs: work(jobs, news.put), waits=waits):
                news.put(result)
        finally:
            news.put(None)

    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fan-out")
    watching = pool.submit(watch)
    pool.shutdown(wait=False)
    while (item := _next(news)) is not None:
        yield item
    watching.result()


def _next(news: queue.Queue[Q]) -> Q:
    """Like `get`, but Ctrl-C just before it blocks is noticed within a moment, and not with the next news."""
    while True:
        with contextlib.suppress(queue.Empty):
            return news.get(timeout=NOTICE)
