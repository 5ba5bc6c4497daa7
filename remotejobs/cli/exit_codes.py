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


def of_errors(results: Iterable[HostResult[T]]) -> int:
    """For commands that only ask: 0 when every host answered."""
    return max((of_error(result.error) for result in results if result.error), default=OK)


def of_jobs(results: Iterable[HostResult[Record]]) -> int:
    """0 when every job succeeded, still runs, or waits for its turn."""
    return max(map(_of_job, results), default=OK)


def of_kills(results: Iterable[HostResult[Record]]) -> int:
    """0 when no job runs any more, however it ended."""
    return max(map(_of_kill, results), default=OK)


def _of_job(result: HostResult[Record]) -> int:
    from remotejobs.model import State

    if result.error:
        return of_error(result.error)
    good = result.value is not None and (result.value.state is State.SUCCEEDED or not result.value.finished)
    return OK if good else NOT_SUCCEEDED


def _of_kill(result: HostResult[Record]) -> int:
    if result.error:
        return of_error(result.error)
    proven = result.value is not None and result.value.finished and not result.value.survivors
    return OK if proven else NOT_SUCCEEDED


def leave(code: int) -> NoReturn:
    """End without waiting for the threads: each may be waiting for its host, whose answer is not needed any more."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    os._exit(code)
