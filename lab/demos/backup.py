"""Run the nightly backup through its deployment, follow it line by line, and show its report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lab.demos.stage import Say, Stage
from lab.process import LabError
from lab.servers.prefect.api import Artifact, Deployment, PrefectApi, RunStatus

NAME = "nightly-backup"
_WITHIN = 15 * 60
_ASK_EVERY = 0.5
_LAG = 5.0
# A terminal has not the room that the UI has.
_WIDE = frozenset({"sha256", "path", "kept", "removed", "duration"})
_PIPED = 120  # columns: a pipe has no width, and rich would take 80
_LONG = frozenset({"reason", "copies"})  # texts, which may take several lines


def run_backup(stage: Stage, say: Say) -> RunStatus:
    """Run it to its end, print the report, return the run; `LabError` with its own words when it did not succeed."""
    api = stage.api
    run = api.run(_deployment(api))
    say(f"Running {NAME}: {stage.prefect.url}/v2/runs/flow-run/{run.id}")
    ended = _follow(api, run, say)
    for table in api.tables(ended):
        _print_table(table)
    if ended.state is None or ended.state.type != "COMPLETED":
        raise LabError(f"{NAME} ended as {_state(ended)}: {ended.state.message if ended.state else ''}")
    say(f"{NAME} ended as {_state(ended)}: {ended.state.message}")
    return ended


def _deployment(api: PrefectApi) -> Deployment:
    for deployment in api.deployments():
        if deployment.name == NAME:
            return deployment
    raise LabError(f"prefect.yaml has no deployment {NAME}")


def _follow(api: PrefectApi, run: RunStatus, say: Say) -> RunStatus:
    """One line whenever the run or a task run of it changes, until it has ended."""
    shown: dict[UUID, str] = {}
    deadline = time.monotonic() + _WITHIN
    while True:
        now, tasks = api.flow_run(run), api.task_runs(run)
        _show_changes([now, *tasks], shown, say)
        if now.final and (all(task.final for task in tasks) or time.monotonic() > deadline):
            return now
        if time.monotonic() > deadline:
            raise LabError(f"{NAME} had not ended after {_WITHIN // 60} minutes; it was {_state(now)}")
        if now.final:
            # Task runs are recorded a little later than the flow run; some may never say how they ended.
            deadline = min(deadline, time.monotonic() + _LAG)
        time.sleep(_ASK_EVERY)


def _show_changes(runs: Sequence[RunStatus], shown: dict[UUID, str], say: Say) -> None:
    for run in runs:
        line = _describe(run)
        if shown.get(run.id) != line:
            shown[run.id] = line
            say(f"  {line}")


def _describe(run: RunStatus) -> str:
    attempt = f", attempt {run.run_count}" if run.run_count > 1 else ""
    return f"{_state(run):<15} {run.name}{attempt}"


def _state(run: RunStatus) -> str:
    return run.state.name if run.state else "Unknown"


def _print_table(artifact: Artifact) -> None:
    rows = _rows(artifact)
    if not rows:
        return
    table = Table(title=artifact.key, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown = [name for name in rows[0] if name not in _WIDE and any(row[name] != "" for row in rows)]
    for name in shown:
        width = None if name in _LONG else max(len(str(row[name])) for row in [{name: name}, *rows])
        table.add_column(name, overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*(str(row[name]) for name in shown))
    Console(width=None if sys.stdout.isatty() else _PIPED).print(table)


def _rows(artifact: Artifact) -> list[dict[str, Any]]:
    """Prefect keeps a table as JSON text inside the JSON."""
    data = json.loads(artifact.data) if isinstance(artifact.data, str) else artifact.data
    return TypeAdapter(list[dict[str, Any]]).validate_python(data)
