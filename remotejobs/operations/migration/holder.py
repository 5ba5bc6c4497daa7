"""Whether the run that holds a lock still goes on: as its host says by its jobs, and Prefect's server by its state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from remotejobs.jobs.locks import Holder
from remotejobs.model import Record
from remotejobs.operations.prefect_server import prefect_server, prefect_settings
from remotejobs.text import one_line

_GOES_ON = {"RUNNING", "PENDING", "SCHEDULED", "PAUSED", "CANCELLING"}


@dataclass(frozen=True, slots=True)
class RunState:
    """The state of a flow run in words; `goes_on` None: nobody knows."""

    words: str
    goes_on: bool | None


def run_state(owner: str, settings: Mapping[str, str] | None = None) -> RunState:
    """Ask the Prefect server that Prefect's settings name; why it is not known where it cannot be."""
    try:
        run = UUID(owner)
    except ValueError:
        return RunState("unknown: its owner is no flow run", None)
    server = prefect_server(prefect_settings() if settings is None else settings)
    if not server.known:
        return RunState("unknown: PREFECT_API_URL is not set", None)
    answer = server.ask(f"/flow_runs/{run}")
    if answer.status == 404:
        return RunState("deleted: the Prefect server has no such run", goes_on=False)
    if answer.status != 200:
        return RunState(f"unknown: {server.api} answered {answer.error or answer.status}", None)
    try:
        state = json.loads(answer.body)["state"]
        return RunState(one_line(f"{state['name']} since {state['timestamp']}"), state["type"] in _GOES_ON)
    except (ValueError, LookupError, TypeError):
        return RunState(f"unknown: the answer of {server.api} is not understood", None)


def running_jobs(records: Iterable[Record], holder: Holder) -> tuple[str, ...]:
    """The jobs of the holder's run that its host still runs; a lost one may."""
    return tuple(
        record.jid
        for record in records
        if record.jid.endswith(f".{holder.owner}") and (not record.finished or record.still_runs)
    )
