"""How many logins one sshd is asked for at a time, by what it has answered to any of them.

sshd turns connections away when too many are not logged in yet (MaxStartups); from 9.8 on it also punishes an address
for failed logins (PerSourcePenalties), and says the same words for both. A login that is turned away makes all
others of that door wait, with jitter, and half as many go in at a time.
"""

from __future__ import annotations

import random
import threading
import time

from remotejobs.connections.ssh.endpoint import Endpoint

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0  # seconds; a penalty lasts at least fifteen
MOST_AT_ONCE = 64
GUESSED = 16  # under way when a login is turned away for the first time

_limiters: dict[tuple[str, int, str], LoginLimiter] = {}
_finding = threading.Lock()


class LoginLimiter:
    """Limits the logins on one sshd, for all connections of this process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at_once = MOST_AT_ONCE
        self._active = 0
        self._strikes = 0
        self._not_before = 0.0

    def enter(self, deadline: float) -> bool:
        """Wait for our turn; False when that would be after `deadline`."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._active < self._at_once and now >= self._not_before:
                    self._active += 1
                    return True
                wake = self._not_before if now < self._not_before else deadline
                if now >= deadline or wake > deadline:
                    return False
                self._changed.wait(wake - now + 0.001)

    def leave(self) -> None:
        """Our turn is over."""
        with self._changed:
            self._active -= 1
            self._changed.notify_all()

    def got_in(self) -> None:
        """One more at a time."""
        with self._changed:
            self._strikes = 0
            self._at_once = min(MOST_AT_ONCE, self._at_once + 1)
            self._changed.notify_all()

    def turned_away(self) -> None:
        """Half as many at a time, after a pause; logins that are turned away in one burst count once."""
        with self._changed:
            now = time.monotonic()
            if now < self._not_before:
                return
            self._strikes += 1
            self._at_once = max(1, min(self._at_once, max(self._active, GUESSED)) // 2)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._strikes)
            self._not_before = now + random.uniform(pause / 2, pause)  # noqa: S311 - to spread a crowd


def limiter_of(endpoint: Endpoint) -> LoginLimiter | None:
    """The limiter of an sshd that has turned a connection away; None for all others, which are the most."""
    return _limiters.get(_door(endpoint))


def learn(endpoint: Endpoint, limiter: LoginLimiter | None) -> None:
    """A connection was turned away there, in the turn that `limiter` gave it if there was one."""
    if limiter is None:
        with _finding:
            limiter = _limiters.setdefault(_door(endpoint), LoginLimiter())
    limiter.turned_away()


def _door(endpoint: Endpoint) -> tuple[str, int, str]:
    return endpoint.address, endpoint.port, endpoint.bind_address
