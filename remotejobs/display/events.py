"""What is reported of a job on its way to its end, and the views that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from remotejobs.errors import HostError
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record


@dataclass(frozen=True, slots=True)
class JobStarted:
    """The host took the job, or had it already (`record.attached`)."""

    record: Record


@dataclass(frozen=True, slots=True)
class JobRunning:
    """The job runs."""

    record: Record


@dataclass(frozen=True, slots=True)
class HostUnreachable:
    """The host cannot be reached at the moment, or its answer is not understood; it is asked again."""

    host: str
    error: HostError


Event = JobStarted | JobRunning | HostUnreachable


class CommandLine(Protocol):
    """What to type to go on with the watched job on one host."""

    def __call__(self, name: str, host: str, *options: str) -> str:
        """The whole command line of the subcommand `name`."""


class View(Protocol):
    """One way to show many hosts. It is used from one thread, and closed before anything else is printed.

    `first_poll` is after how many seconds it wants the first news of a running job; None: it shows none.
    """

    first_poll: float | None

    def show(self, event: Event) -> None:
        """Something happened on the way."""

    def ended(self, result: HostResult[Record]) -> None:
        """This is what came of a host."""

    def close(self) -> None:
        """Nothing more will come."""
