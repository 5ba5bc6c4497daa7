"""What the core does with a connection's few sessions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BoundedSemaphore, Semaphore, Thread

import pytest

from remotejobs.connections.base import Question, Reply
from remotejobs.errors import ProtocolError, Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State
from remotejobs.testing import FakeHosts, Plan


class HeldHost:
    """A host on which every request stays until it is let go; knows how many are there."""

    host = "h"

    def __init__(self, waits: int) -> None:
        self.arrived = Barrier(waits + 1)
        self.leave = threading.Event()
        self.there: list[bytes] = []

    def ask(self, question: Question) -> Reply:
        call = next(line for line in question.script.splitlines() if line.startswith((b"rj_status ", b"rj_kill ")))
        self.there.append(call)
        if call.startswith(b"rj_status "):
            self.arrived.wait(30)
            self.leave.wait(30)
        return Reply(b"", b"", True)

    def close(self) -> None:
        """Nothing is open."""


def test_a_start_that_waits_gives_its_fork_to_others_once_the_job_is_started() -> None:
    fake, forks = FakeHosts(Plan(lasts=30)), BoundedSemaphore(1)
    free: list[bool] = []

    def on_start(_: Record) -> None:
        free.append(forks.acquire(blocking=False))

    record = HostJobs(fake.host("h"), slots=forks).start(Job(jid="j", cmd="x"), wait=60, on_start=on_start)
    assert (record.state, free) == (State.SUCCEEDED, [True])


def test_a_start_that_loses_its_host_while_it_waits_is_a_start() -> None:
    fake = FakeHosts(Plan(lasts=None))
    host = fake.host("h")

    def lose(_: Record) -> None:
        Thread(target=host.unreachable, daemon=True).start()  # when it waits, which it does under a lock

    record = HostJobs(host).start(Job(jid="j", cmd="x"), wait=60, on_start=lose)
    assert (record.state, record.attached) == (State.RUNNING, False)
    with pytest.raises(Unreachable):
        HostJobs(host).start(Job(jid="j", cmd="x"), wait=60)


def test_a_start_does_not_wait_where_all_waits_are_taken() -> None:
    fake, waits = FakeHosts(Plan(lasts=None)), Semaphore(1)
    waits.acquire()
    assert HostJobs(fake.host("h"), waits=waits).start(Job(jid="j", cmd="x"), wait=60).state is State.RUNNING


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
