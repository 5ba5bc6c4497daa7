"""A run ends without its heartbeat thread, which Prefect would wait for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, flow_engine
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from remotejobs.workarounds.prefect.heartbeat_thread import end_without_heartbeat_thread


@flow
def short_flow() -> None:
    """Nothing."""


@contextmanager
def sending() -> Iterator[set[threading.Thread]]:
    """The threads that were begun meanwhile and have not ended: those of heartbeats, for they sleep for a second."""
    before, left = set(threading.enumerate()), set[threading.Thread]()
    yield left
    left |= {thread for thread in set(threading.enumerate()) - before if "(run)" in thread.name}


def left_by_a_run() -> set[threading.Thread]:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30}), sending() as left:
        short_flow()
    return left


def test_a_run_does_not_wait_for_its_heartbeat_thread_and_that_ends_soon(prefect_server: Path) -> None:
    end_without_heartbeat_thread()
    left = left_by_a_run()
    assert len(left) == 1
    for thread in left:
        thread.join(60)
        assert not thread.is_alive()


def test_prefect_by_itself_still_waits(prefect_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the workaround is not needed any more."""
    ours: Any = flow_engine._send_heartbeats
    assert isinstance(ours, partial)
    monkeypatch.setattr(flow_engine, "_send_heartbeats", ours.func)
    assert left_by_a_run() == set()
