"""What Prefect's server reports about the runs of jobs, polled; nothing without a server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from remotejobs.connections.threads import start_threads
from remotejobs.errors import RemoteJobsError
from remotejobs.operations.flow_runs import FlowRun, FlowRuns
from remotejobs.operations.migration.actions import MigrationOutcome

EVERY = 10.0  # seconds
_UNSETTLED = tuple(outcome.value for outcome in MigrationOutcome if not outcome.settled)


@dataclass(frozen=True, slots=True)
class RunsSeen:
    """`runs` by id; those that wait for a person; migrations of the last week that left hosts unsettled.

    `error` is why the server could not be asked this time; the rest is then as it was before.
    """

    runs: dict[str, FlowRun] = field(default_factory=dict)
    waiting: tuple[FlowRun, ...] = ()
    unsettled: tuple[FlowRun, ...] = ()
    error: str = ""


class RunWatch:
    """`wanted` gives the ids of runs, and whether a job of each goes on; `on_change` is called by its thread."""

    def __init__(
        self, server: FlowRuns, wanted: Callable[[], Mapping[str, bool]], on_change: Callable[[], None]
    ) -> None:
        self.server = server
        self.seen = RunsSeen()
        self._wanted = wanted
        self._on_change = on_change
        self._stopped = threading.Event()

    def start(self) -> None:
        if self.server.known:
            start_threads([(self._guard, ())], name="runs")

    def stop(self) -> None:
        self._stopped.set()

    def _guard(self) -> None:
        """Show a fault of this program: otherwise the page would look as if nothing changed."""
        try:
            self._follow()
        except BaseException:
            self.seen = replace(self.seen, error="runs are no longer watched: start remotejobs web again")
            self._on_change()
            raise

    def _follow(self) -> None:
        pause = 1.0  # the hosts have answered by then, mostly
        while not self._stopped.wait(pause):
            before, self.seen = self.seen, self._asked()
            if self.seen != before:
                self._on_change()
            pause = EVERY

    def _asked(self) -> RunsSeen:
        known, wanted = self.seen.runs, self._wanted()
        # A run that has ended may be retried: then a job of it goes on, sooner or later.
        ended = {run: known[run] for run, going in wanted.items() if not going and run in known and known[run].over}
        try:
            asked = self.server.of_ids(wanted.keys() - ended.keys())
            return RunsSeen(ended | asked, tuple(self.server.waiting()), tuple(self.server.named(_UNSETTLED)))
        except RemoteJobsError as exc:
            return RunsSeen(known, self.seen.waiting, self.seen.unsettled, exc.message)
