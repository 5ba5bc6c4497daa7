"""Waiting for a job to end, through the silence of its host: unreachable is not failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from remotejobs.agent.request import Read
from remotejobs.errors import Unreachable, UsageError
from remotejobs.jobs.client import LONGEST_WAIT, HostJobs
from remotejobs.model import Record

DEFAULT_POLL = 15.0  # seconds between two looks; an end is seen at once, because the waiting is done on the host
DEFAULT_PATIENCE = 300.0  # seconds without contact: long enough for a reboot

GLIMPSE_BYTES = 4096  # of each stream while the job runs: enough for its last lines
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0

T = TypeVar("T")


def patiently(ask: Callable[[], T], *, patience: float, on_silence: Callable[[Unreachable], None] | None = None) -> T:
    """`ask`, and ask again while the host cannot be reached, for at most `patience` seconds after the first failure.

    `on_silence` hears of every failure that is tried again; the last one is raised.
    """
    deadline = 0.0
    pause = FIRST_PAUSE
    while True:
        try:
            return ask()
        except Unreachable as exc:
            now = time.monotonic()
            deadline = deadline or now + patience
            if now >= deadline or not exc.passing:
                raise
            if on_silence:
                on_silence(exc)
        time.sleep(min(pause, deadline - now))
        pause = min(2 * pause, LONGEST_PAUSE)


def wait_until_ended(
    jobs: HostJobs,
    jid: str,
    *,
    poll: float = DEFAULT_POLL,
    first_look: float | None = None,
    news: bool = True,
    on_look: Callable[[Record], None] | None = None,
    patience: float = DEFAULT_PATIENCE,
    on_silence: Callable[[Unreachable], None] | None = None,
) -> Record:
    """The record of the job's end, with the last 64 KiB of its output.

    The waiting is done on the host, so the end is seen at once; every `poll` seconds (at least one) `on_look` gets
    the record of the running job with its last 4 KiB of output. With `first_look` it gets the first after so many
    seconds and the next after twice as many each, until that is `poll`. Without `news` the host is spared: it gets one
    each minute, and one within `poll` seconds after a silence. Raises `JobNotFound`, and `Unreachable` after `patience`
    seconds without contact, which says nothing of the job.
    """
    if poll < 1:
        raise UsageError(f"poll is {poll:g} s", remedy="It must be at least 1 s.")
    glimpse, longest = Read(jid, limit=GLIMPSE_BYTES), poll if news else LONGEST_WAIT
    pause = longest if first_look is None else min(first_look, poll)

    def look() -> Record:
        return jobs.status([glimpse], wait=pause)[0]

    def silent(error: Unreachable) -> None:
        nonlocal pause
        pause = min(pause, poll)
        if on_silence:
            on_silence(error)

    while not (record := patiently(look, patience=patience, on_silence=silent)).finished:
        if on_look:
            on_look(record)
        pause = min(2 * pause, longest)
    return patiently(lambda: jobs.whole(record), patience=patience, on_silence=on_silence)
