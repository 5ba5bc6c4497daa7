"""Which attempt of a task run this is: Prefect's retries, seen from within."""

from __future__ import annotations

from dataclasses import dataclass

from prefect.context import TaskRunContext


@dataclass(frozen=True, slots=True)
class Attempt:
    """The attempt `number` (from 1) of at most `total`."""

    number: int
    total: int

    @property
    def is_last(self) -> bool:
        return self.number >= self.total

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.total}"


def this_attempt() -> Attempt:
    """The attempt under way; outside a task run the only one."""
    context = TaskRunContext.get()
    if context is None:
        return Attempt(1, 1)
    return Attempt(context.task_run.run_count, context.task.retries + 1)
