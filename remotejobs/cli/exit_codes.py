"""How the command line ends. Of several hosts the worst decides, in the order of the numbers, as in Ansible."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn, TypeVar

from remotejobs.errors import RemoteJobsError, Unreachable, UsageError

if TYPE_CHECKING:  # where nothing is asked of hosts, as for --help, they need not be imported
    from remotejobs.jobs.fleet import HostResult
    from remotejobs.model import Record

T = TypeVar("T")

OK = 0
USAGE_ERROR = 1
NOT_SUCCEEDED = 2
UNREACHABLE = 4
INTERRUPTED = 130
BROKEN_PIPE = 141


def of_error(error: RemoteJobsError) -> int:
    if isinstance(error, Unreachable):
        return UNREACHABLE
    return USAGE_ERROR if isinstance(error, UsageError) else NOT_SUCCEEDED


def of_errors(outcomes: Iterable[HostResult[T]]) -> int:
    """For commands that only ask: 0 when every host answered."""
    return max((of_error(outcome.error) for outcome in outcomes if outcome.error), default=OK)


def of_jobs(outcomes: Iterable[HostResult[Record]]) -> int:
    """0 when every job succeeded, still runs, or waits for its turn."""
    return max(map(_of_job, outcomes), default=OK)


def of_kills(outcomes: Iterable[HostResult[Record]]) -> int:
    """0 when no job runs any more, however it ended."""
    return max(map(_of_kill, outcomes), default=OK)


def _of_job(outcome: HostResult[Record]) -> int:
    from remotejobs.model import State

    if outcome.error:
        return of_error(outcome.error)
    good = outcome.value is not None and (outcome.value.state is State.SUCCEEDED or not outcome.value.finished)
    return OK if good else NOT_SUCCEEDED


def _of_kill(outcome: HostResult[Record]) -> int:
    if outcome.error:
        return of_error(outcome.error)
    proven = outcome.value is not None and outcome.value.finished and not outcome.value.survivors
    return OK if proven else NOT_SUCCEEDED


def leave(code: int) -> NoReturn:
    """End without waiting for the threads: each may be waiting on its host, which nobody wants to hear of any more."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    os._exit(code)
