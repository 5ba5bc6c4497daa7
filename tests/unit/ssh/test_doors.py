"""A login on a jump host is shared, and so are its failure and its end; logins that it turns away are limited."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import cast

import pytest

from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.transport import doors, session
from remotejobs.connections.ssh.transport.doors import SharedLogin, enter
from remotejobs.connections.ssh.transport.login_limiter import LoginLimiter
from remotejobs.connections.ssh.transport.quick import QuickTransport
from remotejobs.errors import ConnectionLost, HostError
from tests.awaiting import await_true


@dataclass
class FakeTransport:
    active: bool = True

    def is_active(self) -> bool:
        return self.active


@dataclass
class Bastion:
    """Counts the logins, which wait until they may go on."""

    go_on: threading.Event = field(default_factory=threading.Event)
    error: HostError | None = None
    opened: int = 0
    closed: int = 0

    def open(self) -> SharedLogin:
        self.opened += 1
        self.go_on.wait()
        if self.error is not None:
            raise self.error
        return SharedLogin(cast("QuickTransport", FakeTransport()), self._close)

    def _close(self) -> None:
        self.closed += 1


class CountingEvent(threading.Event):
    waiting = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waiting += 1
        return super().wait(timeout)


def way(name: str, host: str = "") -> tuple[Endpoint, ...]:
    return (Endpoint(host=host or name, address=name, user="me"),)


def test_callers_that_come_while_a_login_is_made_share_it_and_the_last_one_closes_it() -> None:
    bastion = Bastion()
    with ThreadPoolExecutor(20) as threads:
        leases = [threads.submit(enter, way("shared", f"h{n}"), f"h{n}", bastion.open) for n in range(20)]
        await_true(lambda: bastion.opened == 1)
        bastion.go_on.set()
        entered = [lease.result() for lease in leases]

    assert (bastion.opened, bastion.closed) == (1, 0)
    for lease in entered[:-1]:
        lease.release()
    assert bastion.closed == 0
    entered[-1].release()
    assert bastion.closed == 1


def test_a_failure_reaches_all_waiting_callers_each_by_name_and_the_next_one_tries_again() -> None:
    bastion = Bastion(error=ConnectionLost("h0", "the gate is shut", remedy="Knock."))
    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(enter, way("failing"), "h0", bastion.open)
        await_true(lambda: bastion.opened == 1)
        over = CountingEvent()
        (attempt,) = [door.attempt for door in doors._doors.values() if door.attempt is not None]
        attempt.over = over
        waiting = [threads.submit(enter, way("failing"), f"h{n}", bastion.open) for n in range(1, 5)]
        # A caller that has not come yet when it fails would make a second attempt.
        await_true(lambda: over.waiting == 4)
        bastion.go_on.set()
        errors = [future.exception() for future in (first, *waiting)]

    assert [str(error) for error in errors] == [f"h{n}: the gate is shut. Knock." for n in range(5)]
    assert bastion.opened == 1
    bastion.error = None
    enter(way("failing"), "h9", bastion.open).release()
    assert bastion.opened == 2


def test_a_login_that_died_is_made_anew_by_one_of_all_callers_that_need_it() -> None:
    bastion = Bastion()
    bastion.go_on.set()
    old = [enter(way("dying"), f"h{n}", bastion.open) for n in range(3)]
    cast("FakeTransport", old[0].transport).active = False
    new = [enter(way("dying"), f"h{n}", bastion.open) for n in range(3)]

    assert bastion.opened == 2
    assert len({id(lease.transport) for lease in new}) == 1
    for lease in (*old, *new):
        lease.release()
    assert bastion.closed == 2


def test_a_login_through_which_nobody_gets_is_not_shared_any_more() -> None:
    bastion = Bastion()
    bastion.go_on.set()
    began = time.monotonic()
    stuck = enter(way("stuck"), "h0", bastion.open)
    stuck.passed()
    stuck.not_passed(began)
    enter(way("stuck"), "h1", bastion.open).release()
    assert bastion.opened == 1
    stuck.not_passed(time.monotonic())
    enter(way("stuck"), "h2", bastion.open).release()
    assert bastion.opened == 2
    stuck.release()
    assert bastion.closed == 2


def test_a_login_that_is_full_is_joined_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "CHANNELS", 2)
    bastion = Bastion()
    bastion.go_on.set()
    leases = [enter(way("full"), f"h{n}", bastion.open) for n in range(5)]

    assert bastion.opened == 3
    for lease in leases:
        lease.release()


def test_a_login_that_is_turned_away_makes_all_wait_and_fewer_go_at_once() -> None:
    limiter = LoginLimiter()
    limiter.turned_away()
    limiter.turned_away()

    assert not limiter.enter(time.monotonic())
    assert limiter.enter(time.monotonic() + 60)
    for _ in range(7):
        assert limiter.enter(time.monotonic() + 60)
    assert not limiter.enter(time.monotonic() + 0.01)
    limiter.got_in()
    assert limiter.enter(time.monotonic() + 60)
    limiter.leave()
    assert limiter.enter(time.monotonic() + 60)


@dataclass
class BrokenTransport(FakeTransport):
    """What is sent over it fails, and it has not noticed its end yet."""

    def open_channel(self, *_: object, timeout: float) -> None:
        raise EOFError


def test_a_way_that_breaks_before_its_end_is_noticed_is_lost_and_not_too_slow() -> None:
    login = SharedLogin(cast("QuickTransport", BrokenTransport()), lambda: None)
    lease = enter(way("breaking"), "db1", lambda: login)

    with pytest.raises(ConnectionLost, match="the connection to the jump host ended on the way to db1"):
        session._forward(lease, *way("db1"))
    lease.release()
