"""Whether the run that holds a lock still goes on: as its host says by its jobs, and Prefect's server by its state."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from remotejobs.jobs.locks import Holder
from remotejobs.model import Record
from remotejobs.operations.flow_runs import prefect_login
from remotejobs.operations.web import fetch
from remotejobs.text import one_line

_GOES_ON = {"RUNNING", "PENDING", "SCHEDULED", "PAUSED", "CANCELLING"}


@dataclass(frozen=True, slots=True)
class RunState:
    """The state of a flow run in words; `goes_on` None: nobody knows."""

    words: str
    goes_on: bool | None


def run_state(owner: str, environment: Mapping[str, str] = os.environ) -> RunState:
    """Ask the Prefect server at PREFECT_API_URL; why it is not known where it cannot be."""
    try:
        run = UUID(owner)
    except ValueError:
        return RunState("unknown: its owner is no flow run", None)
    if not (url := environment.get("PREFECT_API_URL", "")):
        return RunState("unknown: PREFECT_API_URL is not set", None)
    answer = fetch(f"{url.rstrip('/')}/flow_runs/{run}", headers=prefect_login(environment))
    if answer.status == 404:
        return RunState("deleted: the Prefect server has no such run", goes_on=False)
    if answer.status != 200:
        return RunState(f"unknown: {url} answered {answer.error or answer.status}", None)
    try:
        state = json.loads(answer.body)["state"]
        return RunState(one_line(f"{state['name']} since {state['timestamp']}"), state["type"] in _GOES_ON)
    except (ValueError, LookupError, TypeError):
        return RunState(f"unknown: the answer of {url} is not understood", None)


def running_jobs(records: Iterable[Record], holder: Holder) -> tuple[str, ...]:
    """The jobs of the holder's run that its host still runs; a lost one may."""
    return tuple(
        record.jid
        for record in records
        if record.jid.endswith(f".{holder.owner}") and (not record.finished or record.still_runs)
    )
