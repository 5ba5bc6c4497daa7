"""How long a connection that was lost is tried again."""

from __future__ import annotations

import random
import shlex
import time
from collections.abc import Callable
from typing import TypeVar

from remotejobs.connections.base import Become, Question
from remotejobs.connections.become import sudo_words
from remotejobs.connections.exchange import Exchange
from remotejobs.errors import AuthenticationFailed, ConnectionLost, LoginCutOff

FIRST_DELAY = 0.1
LONGEST_DELAY = 3.0
# What sshd says in place of its version to clients that it may let in later: the first before OpenSSH 9.8, the second
# since, for MaxStartups and for penalties alike.
TURNING_AWAY = ("Exceeded MaxStartups", "Not allowed at this time")
# Hanging up in the middle of a login may be a restart; three times in a row it is an answer.
CUT_OFFS = 3

T = TypeVar("T")


class Backoff:
    """Growing, uneven pauses, from the first failure on for `retry_for` seconds."""

    def __init__(self, retry_for: float) -> None:
        self._retry_for = retry_for
        self._first_failure: float | None = None
        self._attempts = 0
        self._cut_off = 0

    def wait_or_raise(self, lost: ConnectionLost) -> None:
        """Sleep until it is time for the next attempt; raise `lost` when there is to be none.

        `AuthenticationFailed` when a server hung up in the middle of the login again and again.
        """
        self._cut_off += isinstance(lost, LoginCutOff)
        if self._cut_off >= CUT_OFFS and isinstance(lost, LoginCutOff):
            raise AuthenticationFailed(lost.host, lost.message.partition(": ")[2], remedy=lost.remedy) from lost
        now = time.monotonic()
        if self._first_failure is None:
            self._first_failure = now
        self._attempts += 1
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2**self._attempts)
        delay = random.uniform(longest / 2, longest)  # noqa: S311 - to spread a crowd, not to keep a secret
        if now + delay > self._first_failure + self._retry_for:
            raise lost
        time.sleep(delay)


def command_for(become: Become | None) -> str:
    """What to run on a host for a shell that reads a script."""
    return "exec sh -s" if become is None else shlex.join(sudo_words(become))


def ask_until_answered(once: Callable[[str, Exchange, float], T], host: str, question: Question, retry_for: float) -> T:
    """Ask again, by a new exchange, when the connection was lost; what came of the last attempt.

    `once` is given what to run on the host, the exchange, and the seconds that it may take.

    Not behind a milestone: the job whose start that is may have ended meanwhile, and been cleaned away. Sent again, the
    start would run it twice.

    Raises what `once` raises, and `Backoff.wait_or_raise`.
    """
    command = command_for(question.become)
    backoff = Backoff(retry_for)
    while True:
        exchange = Exchange(host, question)
        try:
            return once(command, exchange, question.timeout)
        except ConnectionLost as lost:
            if exchange.passed:
                raise
            backoff.wait_or_raise(lost)
