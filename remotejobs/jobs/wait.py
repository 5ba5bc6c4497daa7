"""Waiting for a job to end, also while its host is unreachable: that is not failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from remotejobs.agent.request import Read
from remotejobs.connections.base import Stay
from remotejobs.errors import HostError, ProtocolError, Unreachable, UsageError
from remotejobs.jobs.client import LONGEST_WAIT, HostJobs
from remotejobs.model import Job, Record

DEFAULT_POLL = 15.0  # seconds between two polls; an end is seen at once, because the waiting is done on the host
DEFAULT_CONTACT_TIMEOUT = 300.0  # seconds without contact: long enough for a reboot

GLIMPSE_BYTES = 4096  # of each stream while the job runs: enough for its last lines
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0

UNHEARD = (Unreachable, ProtocolError)  # after these who waits knows nothing, and asks again

T = TypeVar("T")
E = TypeVar("E", bound=HostError)


def retry_while_unreachable(
    ask: Callable[[], T], *, contact_timeout: float, on_unreachable: Callable[[Unreachable], None] | None = None
) -> T:
    """`ask`, and retry while the host is unreachable, for at most `contact_timeout` seconds after the first failure.

    `on_unreachable` gets every failure that is retried; the last one is raised.
    """
    return _retry(ask, Unreachable, contact_timeout, on_unreachable)


def _retry(
    ask: Callable[[], T],
    passing: type[E] | tuple[type[E], ...],
    contact_timeout: float,
    on_error: Callable[[E], None] | None,
) -> T:
    deadline = 0.0
    pause = FIRST_PAUSE
    while True:
        try:
            return ask()
        except passing as exc:
            now = time.monotonic()
            deadline = deadline or now + contact_timeout
            if now >= deadline or not exc.transient:
                raise
            if on_error:
                on_error(exc)
        time.sleep(min(pause, deadline - now))
        pause = min(2 * pause, LONGEST_PAUSE)


def wait_until_ended(
    jobs: HostJobs,
    jid: str,
    *,
    poll: float = DEFAULT_POLL,
    news: bool = True,
    on_poll: Callable[[Record], None] | None = None,
    contact_timeout: float = DEFAULT_CONTACT_TIMEOUT,
    on_unreachable: Callable[[HostError], None] | None = None,
) -> Record:
    """The record of the job's end, with the last 64 KiB of its output.

    The waiting is done on the host, so the end is seen at once; every `poll` seconds (at least one) `on_poll` gets
    the record of the running job with its last 4 KiB of output. Without `news` the host is spared: it gets one each
    minute, and one within `poll` seconds once the host is reachable again. Raises `JobNotFound`, and `Unreachable`
    after `contact_timeout` seconds without contact, which says nothing of the job. An answer that is not understood
    says nothing either: the host is asked again in the same way, and then `ProtocolError` raised.
    """
    if poll < 1:
        raise UsageError(f"poll is {poll:g} s", remedy="It must be at least 1 s.")
    glimpse = Read(jid, max_bytes=GLIMPSE_BYTES)
    pause = longest = poll if news else LONGEST_WAIT
    stay = Stay()

    def poll_once() -> Record:
        return jobs.status([glimpse], wait=pause, stay=stay)[0]

    def unreachable(error: HostError) -> None:
        nonlocal pause
        pause = min(pause, poll)
        if on_unreachable:
            on_unreachable(error)

    with stay:
        while not (record := _retry(poll_once, UNHEARD, contact_timeout, unreachable)).finished:
            if on_poll:
                on_poll(record)
            pause = min(2 * pause, longest)
    return _retry(lambda: jobs.whole(record), UNHEARD, contact_timeout, on_unreachable)


def start_and_wait(jobs: HostJobs, job: Job, *, contact_timeout: float = DEFAULT_CONTACT_TIMEOUT) -> Record:
    """The record of the end of a job that nobody watches; a short one takes a single exchange.

    Raises what `HostJobs.start` and `wait_until_ended` do.
    """
    record = retry_while_unreachable(lambda: jobs.start(job, wait=LONGEST_WAIT), contact_timeout=contact_timeout)
    if record.finished:
        return record
    return wait_until_ended(jobs, job.jid, news=False, contact_timeout=contact_timeout)
