"""What the core does with a connection's few sessions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Semaphore

import pytest

from remotejobs.connections.base import Become, Reply
from remotejobs.errors import ProtocolError
from remotejobs.jobs.client import HostJobs


class HeldHost:
    """A host on which every request stays until it is let go; knows how many are there."""

    host = "h"

    def __init__(self, waits: int) -> None:
        self.arrived = Barrier(waits + 1)
        self.leave = threading.Event()
        self.there: list[bytes] = []

    def ask(self, script: bytes, *, end: bytes, become: Become | None, timeout: float, max_bytes: int) -> Reply:
        call = next(line for line in script.splitlines() if line.startswith((b"rj_status ", b"rj_kill ")))
        self.there.append(call)
        if call.startswith(b"rj_status "):
            self.arrived.wait(30)
            self.leave.wait(30)
        return Reply(b"", b"", True)

    def close(self) -> None:
        """Nothing is open."""


def test_waiting_callers_leave_room_for_a_kill() -> None:
    host, waits = HeldHost(2), Semaphore(2)
    with ThreadPoolExecutor(4) as pool:
        polls = [pool.submit(HostJobs(host, waits=waits).record, f"j{number}", wait=30) for number in range(3)]
        host.arrived.wait(30)
        with pytest.raises(ProtocolError):  # this host says nothing, but it was asked
            HostJobs(host, waits=waits).kill("j0")
        assert [call.split()[0] for call in host.there] == [b"rj_status", b"rj_status", b"rj_kill"]
        host.arrived.abort()
        host.leave.set()
        for poll in polls:
            assert poll.exception(30)
