"""A dry run: what a flow would run where, as a table in the UI. No host is asked, nothing is started."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, cast

from prefect.client.schemas.objects import State
from prefect.states import Completed

from remotejobs.connections.address import address_of
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.cancel.end_jobs import user_on
from remotejobs.prefect.tasks.connections import host_of
from remotejobs.prefect.tasks.jobs.reports import TableRow, publish_table
from remotejobs.text import duration, number_of

LONGEST_COMMAND = 30  # lines


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One command on one host. `when` is the batch or the condition; `timeout` is seconds, None for none."""

    host: str
    step: str
    cmd: str
    when: str = ""
    timeout: int | None = None


def dry_run_state(planned: Iterable[PlannedStep], access: Access, asked: str = "no host was asked") -> State[Any]:
    """Publish the table `dry-run`; the flow returns this state, which is shown as `DryRun`, and is no failure."""
    rows = [_row(step, access) for step in planned]
    publish_table("dry-run", f"What would run where; {asked}", rows)
    commands = [row for row in rows if row["command"]]
    hosts = number_of(len({row["host"] for row in commands}), "host")
    message = f"{number_of(len(commands), 'command')} on {hosts} would run; see the table dry-run"
    return Completed(name="DryRun", message=message, data=[])


def would_run(planned: Iterable[PlannedStep], access: Access) -> list[Any]:
    """The same for a flow that otherwise returns a list: Prefect takes the state, and the flow's caller gets `[]`."""
    return cast("list[Any]", dry_run_state(planned, access))


def _row(step: PlannedStep, access: Access) -> TableRow:
    host = host_of(access, step.host)
    return {
        "host": step.host,
        "address": address_of(host),
        "as user": user_on(host, access) or "(login user)",
        "when": step.when,
        "step": step.step,
        "timeout": duration(step.timeout) if step.timeout else "",
        "command": _short(step.cmd),
    }


def _short(cmd: str) -> str:
    """Of a long shell text of ours its settings and its call; what lies between them is the same everywhere."""
    lines = cmd.strip().splitlines()
    if len(lines) <= LONGEST_COMMAND:
        return cmd
    settings = takewhile(lambda line: not line.startswith("#"), lines[:LONGEST_COMMAND])
    return "\n".join([*settings, "...", lines[-1]])
