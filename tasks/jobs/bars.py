"""Progress bars in the UI: one artifact for each thing on its way, moved now and then."""

from __future__ import annotations

import threading
import time
from functools import cache
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from remotejobs.display.row import progress_line
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.estimate import Estimator
from remotejobs.model import Handle, Record
from remotejobs.prefect.tasks.jobs.reports import key_of

_UPDATE_EVERY = 2.0  # seconds


class Bar:
    """`key` names its series in the UI, `what` is what is on its way, for people."""

    def __init__(self, key: str, what: str) -> None:
        self._what = what
        made = create_progress_artifact(0.0, key=key, description=what)
        assert isinstance(made, UUID)  # a coroutine only where an event loop runs
        self._artifact = made
        self._moved_at = 0.0

    def move(self, percent: float, said: str, *, over: bool) -> None:
        """To `percent`, with a few words; what comes too soon after the last move is left out, but not the end."""
        if over or time.monotonic() >= self._moved_at + _UPDATE_EVERY:
            self._moved_at = time.monotonic()
            update_progress_artifact(self._artifact, percent, description=f"{self._what}: {said}")


class JobBars:
    """The bars of the jobs that this process polls, and how long each of them usually takes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paces: dict[Handle, Estimator] = {}
        self._bars: dict[Handle, Bar] = {}

    def seen(self, handle: Handle, record: Record, jobs: HostJobs) -> Record:
        """The same with how long it usually takes, which its host is asked for; with a bar as `show` makes it."""
        if not record.finished:
            with self._lock:
                pace = self._paces.setdefault(handle, Estimator(jobs))
            record = pace.of(record)
        self.show(handle, record)
        return record

    def show(self, handle: Handle, record: Record) -> None:
        """A job that says how many percent it has done gets a bar. Nothing is asked of its host."""
        if record.finished:
            self._end(handle, record)
        elif record.progress and record.progress.percent is not None:
            self._bar(handle).move(record.progress.percent, progress_line(record), over=False)

    def _bar(self, handle: Handle) -> Bar:
        with self._lock:
            bar = self._bars.get(handle)
        if bar is None:  # not within the lock, as the API is asked; a job is polled by one task run at a time
            what = f"{handle.label} on {handle.host}"
            bar = self._bars[handle] = Bar(key_of("progress", what), what)
        return bar

    def _end(self, handle: Handle, record: Record) -> None:
        with self._lock:
            self._paces.pop(handle, None)
            bar = self._bars.pop(handle, None)
        if bar:
            done = record.progress.percent if record.progress and record.progress.percent is not None else 0.0
            bar.move(100.0 if record.rc == 0 else done, str(record.state), over=True)


@cache
def job_bars() -> JobBars:
    """The bars of this process."""
    return JobBars()
