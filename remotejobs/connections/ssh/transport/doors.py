"""One shared login on each jump host, for all connections that go through it.

A jump host that is asked for five hundred logins at once turns most of them away. So one is made, later callers
wait for its outcome, and when it is lost all are in need of the next one together.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.transport.quick import QuickTransport
from remotejobs.errors import HostError

# sshd opens a descriptor for each; its usual limit is 1024.
CHANNELS = 250


class SharedLogin:
    """An open login on a jump host, and how many connections go through it. `close` ends it."""

    def __init__(self, transport: QuickTransport, close: Callable[[], None]) -> None:
        self.transport = transport
        self.users = 0
        self.close = close
        self.last_passage = time.monotonic()


@dataclass(slots=True)
class _Attempt:
    """One login under way: callers that come meanwhile wait for its outcome."""

    over: threading.Event = field(default_factory=threading.Event)
    error: HostError | None = None


@dataclass(slots=True)
class _Door:
    lock: threading.Lock = field(default_factory=threading.Lock)
    logins: list[SharedLogin] = field(default_factory=list)
    attempt: _Attempt | None = None


_doors: dict[tuple[Endpoint, ...], _Door] = {}
_finding = threading.Lock()


class Lease:
    """The use of a shared login by one connection."""

    def __init__(self, door: _Door, login: SharedLogin) -> None:
        self._door = door
        self._login = login
        self.transport = login.transport

    def passed(self) -> None:
        """A login succeeded just now."""
        self._login.last_passage = time.monotonic()

    def not_passed(self, since: float) -> None:
        """Nothing came of an attempt; if no other login succeeded meanwhile either, the next callers log in anew."""
        with self._door.lock:
            if self._login.last_passage < since and self._login in self._door.logins:
                self._door.logins.remove(self._login)

    def release(self) -> None:
        """The last one closes the login."""
        with self._door.lock:
            self._login.users -= 1
            last = self._login.users == 0
            if last and self._login in self._door.logins:
                self._door.logins.remove(self._login)
        if last:
            self._login.close()


def enter(way: tuple[Endpoint, ...], host: str, open_login: Callable[[], SharedLogin]) -> Lease:
    """A login on the last of `way`, opened by the first caller that wants it; its failure names `host`."""
    key = tuple(replace(hop, host="", names=None) for hop in way)
    with _finding:
        door = _doors.setdefault(key, _Door())
    while True:
        with door.lock:
            for login in door.logins:
                if login.users < CHANNELS and login.transport.is_active():
                    login.users += 1
                    return Lease(door, login)
            attempt, ours = door.attempt, door.attempt is None
            if attempt is None:
                attempt = door.attempt = _Attempt()
        if ours:
            return _open(door, attempt, open_login)
        attempt.over.wait()
        if attempt.error is not None:
            raise in_the_name_of(host, attempt.error)


def _open(door: _Door, attempt: _Attempt, open_login: Callable[[], SharedLogin]) -> Lease:
    login: SharedLogin | None = None
    try:
        login = open_login()
    except HostError as exc:
        attempt.error = exc
        raise
    finally:
        with door.lock:
            door.attempt = None
            if login is not None:
                door.logins = [one for one in door.logins if one.users]
                door.logins.append(login)
                login.users += 1
        attempt.over.set()
    return Lease(door, login)


def in_the_name_of(host: str, error: HostError) -> HostError:
    """The same error for another host behind the same door."""
    message = error.message.removeprefix(f"{error.host}: ")
    return type(error)(host, message, remedy=error.remedy)
