"""Few threads that serve many."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable

import pytest

from remotejobs.connections.threads import start_threads
from remotejobs.jobs.turns import Turns
from tests.awaiting import await_true

SOON = 30.0  # seconds; nothing here takes so long


def test_many_items_take_a_thread_more_only_while_all_others_are_busy() -> None:
    served: queue.SimpleQueue[str] = queue.SimpleQueue()
    held = threading.Event()
    threads: set[int] = set()

    def serve(item: str) -> None:
        threads.add(threading.get_ident())
        served.put(item)
        if item == "slow":
            held.wait(SOON)

    turns = Turns(serve, threads=4, name="turns")
    turns.put("slow")
    assert served.get(timeout=SOON) == "slow"
    for number in range(20):
        turns.put(f"{number}")
        assert served.get(timeout=SOON) == f"{number}"
    assert len(threads) == 2
    held.set()
    turns.close()


def test_an_item_is_served_by_one_thread_at_a_time_and_again_for_what_came_meanwhile() -> None:
    began: queue.SimpleQueue[int] = queue.SimpleQueue()
    go_on: queue.SimpleQueue[None] = queue.SimpleQueue()
    under_way: list[int] = []

    def serve(_: str) -> None:
        under_way.append(1)
        began.put(len(under_way))
        go_on.get(timeout=SOON)
        under_way.pop()

    turns = Turns(serve, threads=4, name="turns")
    turns.put("host")
    assert began.get(timeout=SOON) == 1
    for _ in range(3):  # of these, one turn is left
        turns.put("host")
    go_on.put(None)
    assert began.get(timeout=SOON) == 1
    go_on.put(None)
    turns.put("host")
    assert began.get(timeout=SOON) == 1
    go_on.put(None)
    assert began.empty()
    turns.close()


def test_the_earlier_of_two_times_counts_and_what_is_due_comes_before_what_is_not() -> None:
    served: queue.SimpleQueue[str] = queue.SimpleQueue()
    turns = Turns(served.put, threads=1, name="turns")
    now = time.monotonic()
    turns.put("never", now + 3600)
    turns.put("dropped", now + 0.1)
    turns.put("second", now + 0.2)
    turns.put("first", now + 3600)
    turns.put("first", now + 0.1)
    turns.put("first", now + 7200)
    turns.drop("dropped")
    assert [served.get(timeout=SOON) for _ in range(2)] == ["first", "second"]
    assert time.monotonic() >= now + 0.2
    assert served.empty()
    turns.close()


def test_after_close_nothing_is_served() -> None:
    served: queue.SimpleQueue[str] = queue.SimpleQueue()
    turns = Turns(served.put, threads=2, name="turns in the test of close")
    turns.put("last")
    assert served.get(timeout=SOON) == "last"
    turns.close()
    turns.put("late")
    for thread in threading.enumerate():
        if thread.name == "turns in the test of close":
            thread.join(SOON)
    assert served.empty()


def test_who_can_get_no_thread_more_is_served_by_one_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def start_one(calls: Iterable[tuple[Callable[..., object], tuple[object, ...]]], *, name: str) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(name)
        start_threads(calls, name=name)

    monkeypatch.setattr("remotejobs.jobs.turns.start_threads", start_one)
    served: queue.SimpleQueue[str] = queue.SimpleQueue()
    held = threading.Event()

    def serve(item: str) -> None:
        if item == "slow":
            held.wait(SOON)
        served.put(item)

    turns = Turns(serve, threads=4, name="turns")
    for item in ("slow", "next", "last"):
        turns.put(item)
    held.set()
    assert [served.get(timeout=SOON) for _ in range(3)] == ["slow", "next", "last"]
    turns.close()


def test_calls_that_take_longer_hold_up_no_other_and_their_threads_are_not_kept() -> None:
    served: queue.SimpleQueue[str] = queue.SimpleQueue()
    held = threading.Event()

    def serve(item: str) -> None:
        if item.startswith("slow"):
            held.wait(SOON)
        served.put(item)

    turns = Turns(serve, threads=3, name="turns", slow_after=0.05)
    slow = [f"slow {number}" for number in range(10)]
    for item in (*slow, "quick"):
        turns.put(item)
    assert served.get(timeout=SOON) == "quick"
    held.set()
    assert {served.get(timeout=SOON) for _ in slow} == set(slow)
    await_true(lambda: [thread.name for thread in threading.enumerate()].count("turns") <= 3)
    turns.put("later")
    assert served.get(timeout=SOON) == "later"
    turns.close()


def test_without_that_limit_no_more_calls_are_under_way_than_there_are_threads() -> None:
    under_way: queue.SimpleQueue[int] = queue.SimpleQueue()
    held, now = threading.Event(), set[int]()

    def serve(item: int) -> None:
        now.add(item)
        under_way.put(len(now))
        held.wait(0.05)
        now.discard(item)

    turns = Turns(serve, threads=2, name="turns")
    for item in range(10):
        turns.put(item)
    assert max(under_way.get(timeout=SOON) for _ in range(10)) == 2
    turns.close()
