"""What task runs log, which is what people read in the UI: to find words in it, and to act when they come."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self


class TaskLog(logging.Handler):
    """`with TaskLog() as log:`; at the end it waits for what was to be done, and raises what that raised."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self._acts: list[tuple[str, Callable[[], object]]] = []
        self._doing: list[Future[object]] = []
        # A thread of its own: no other can log while a line is handled.
        self._doer = ThreadPoolExecutor(1)

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        self.lines.append(line)
        due = [act for act in self._acts if act[0] in line]
        self._acts = [act for act in self._acts if act not in due]
        self._doing += [self._doer.submit(act) for _, act in due]

    def having(self, words: str) -> list[str]:
        """The lines with `words`."""
        return [line for line in self.lines if words in line]

    def when(self, words: str, act: Callable[[], object]) -> None:
        """Do `act` once, when a line with `words` comes: an event to wait for instead of a time."""
        self._acts.append((words, act))

    def __enter__(self) -> Self:
        logging.getLogger("prefect.task_runs").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("prefect.task_runs").removeHandler(self)
        self._doer.shutdown()
        for done in self._doing:
            done.result()
