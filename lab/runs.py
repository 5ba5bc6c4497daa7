"""A run of a deployment of the lab: start it, follow it to its end, show its tables."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from lab.process import LabError
from lab.servers.prefect.api import Deployment, PrefectApi, RunStatus

_WITHIN = 10 * 60
_ASK_EVERY = 0.5
_WIDTH = 140  # columns, where there is no terminal that says

Row = dict[str, Any]


def deployment(api: PrefectApi, name: str) -> Deployment:
    """The deployment of that name; `LabError` when prefect.yaml has none."""
    for each in api.deployments():
        if each.name == name:
            return each
    raise LabError(f"prefect.yaml has no deployment {name}")


def start(api: PrefectApi, name: str, parameters: dict[str, object]) -> RunStatus:
    """Start a run of the deployment `name` with these parameters, which become its defaults."""
    wanted = deployment(api, name)
    api.set_parameters(wanted, parameters)
    return api.run(wanted)


def await_state(
    api: PrefectApi, run: RunStatus, come: Callable[[RunStatus], bool], within: float = _WITHIN
) -> RunStatus:
    """The run as soon as `come` is true of it; `LabError` when that takes too long."""
    deadline = time.monotonic() + within
    while not come(now := api.flow_run(run)):
        if time.monotonic() > deadline:
            raise LabError(f"the run {run.name} is still {now.state.name if now.state else 'unknown'}")
        time.sleep(_ASK_EVERY)
    return now


def await_end(api: PrefectApi, run: RunStatus) -> RunStatus:
    return await_state(api, run, lambda now: now.final)


def last_table(api: PrefectApi, run: RunStatus, key: str) -> list[Row]:
    """The rows of the newest table `key` of a run; none when it made no such table."""
    tables = [table for table in api.tables(run) if table.key == key]
    if not tables:
        return []
    data = max(tables, key=lambda table: table.created).data
    return TypeAdapter(list[Row]).validate_python(json.loads(data) if isinstance(data, str) else data)


def print_rows(title: str, rows: list[Row]) -> None:
    """A table on the terminal."""
    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console().print(table)


def console() -> Console:
    """The terminal; where there is none, wide enough for what is printed to be whole."""
    here = Console()
    here.width = here.width if here.is_terminal else _WIDTH
    return here
