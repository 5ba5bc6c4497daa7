"""A controller that is not wanted any more ends itself: its run goes on elsewhere, or was cancelled all the same.

Hosts start nothing twice however many controllers there are. But what two controllers do beside the jobs, such as
taking hosts out of a load balancer, one of them does better.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.logging.loggers import flow_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

_LOOK_EVERY = 15.0  # seconds
# A worker sends SIGTERM, and after 30 s SIGKILL.
_WORKERS_TURN = timedelta(seconds=40)
_TIME_TO_SEND_LOGS = 3.0


def end_when_unwanted(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:  # noqa: ARG001
    """Hook for on_running: watch over the run from a thread, in a process that a worker started for it alone."""
    if os.environ.get("PREFECT__FLOW_RUN_ID") == str(flow_run.id):
        threading.Thread(target=_watch, args=(flow_run, state), name="fence", daemon=True).start()


def _watch(run: FlowRun, began: RunState[Any]) -> None:
    pause, logger = threading.Event(), flow_run_logger(run)
    # It asks again by itself, and soon: the pauses of Prefect's client would grow to minutes.
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
        while not pause.wait(_LOOK_EVERY):
            try:
                why = why_unwanted(began, client.read_flow_run_states(run.id))
            except httpx.HTTPError:
                continue  # the server is away, so nobody else goes on with the run
            if why:
                logger.warning("%s: this process %d ends, and leaves the jobs alone", why, os.getpid())
                pause.wait(_TIME_TO_SEND_LOGS)
                # Neither hooks nor a last state: the run is not this process's any more.
                os._exit(0)


def why_unwanted(began: RunState[Any], states: Sequence[RunState[Any]]) -> str:
    """Why the process that began the run with the state `began` is to end, as its states are by now; "" for none."""
    last = max(states, key=_entered, default=began)
    before = max((state for state in states if state.timestamp < began.timestamp), key=_entered, default=None)
    # It began too late: the server was away, and meanwhile the run was given to another.
    if before and before.is_running():
        return "Another process had begun this run"
    if any(state.is_scheduled() and state.timestamp > began.timestamp for state in states):
        return "Another process goes on with this run"
    if last.is_cancelling() and datetime.now(UTC) - last.timestamp > _WORKERS_TURN:
        return "The run was cancelled, and its worker did not end it"
    return "The run was cancelled" if last.is_cancelled() else ""


def _entered(state: RunState[Any]) -> datetime:
    return state.timestamp
