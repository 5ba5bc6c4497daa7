"""How a group's jobs go on, for people: a progress bar and a table that are kept up to date while it is polled."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from uuid import UUID

import httpx
from prefect import get_client, get_run_logger
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.client.schemas.actions import ArtifactUpdate

from remotejobs.prefect.tasks.jobs.reports import aligned, key_of, publish_table, rows_of
from remotejobs.prefect.tasks.jobs.results import JobResult

_EVERY = 30.0  # seconds: a picture of the group has a row for each job, and the server keeps it and sends it to others


def log_not_started(name: str, results: Iterable[JobResult]) -> None:
    """A table of those that failed, once nothing more is tried. Where it cannot be shown, the state says it too."""
    rows = rows_of([result for result in results if not result.succeeded])
    try:
        publish_table(key_of(name, "not-started"), f"Not started: {name}", rows)
    except httpx.HTTPError as exc:
        get_run_logger().warning("the table of %s cannot be shown: %r", name, exc)


class GroupProgress:
    """The progress bar and the table of one group. What cannot be shown fails nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar_and_table: tuple[UUID, UUID] | None = None
        self._next = 0.0

    def show(self, results: Iterable[JobResult], *, done: int, of: int) -> None:
        """Bring both up to date: at once the first time and the last, and otherwise every 30 s."""
        if done < of and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        try:
            self._publish(aligned(rows_of(list(results))), 100.0 * done / max(1, of))
        except httpx.HTTPError as exc:
            get_run_logger().warning("the table of %s cannot be shown: %r", self._name, exc)

    def _publish(self, rows: list[dict[str, object]], percent: float) -> None:
        if self._bar_and_table is None:
            # Outside of an event loop, where these answer at once.
            bar = create_progress_artifact(percent, key=key_of(self._name), description=self._name)
            table = create_table_artifact(rows, key=key_of(self._name, "jobs"), description=self._name)
            assert isinstance(bar, UUID) and isinstance(table, UUID)
            self._bar_and_table = bar, table
            return
        bar, table = self._bar_and_table
        update_progress_artifact(bar, percent)
        with get_client(sync_client=True) as client:
            client.update_artifact(table, ArtifactUpdate(data=json.dumps(rows)))
