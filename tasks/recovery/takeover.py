"""A superseded process exits: another one goes on with its run, or the run was cancelled all the same.

Hosts start nothing twice however many controllers there are. But what two controllers do beside the jobs, such as
taking hosts out of a load balancer, one of them does better.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as RunState
from prefect.logging.loggers import flow_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from remotejobs.prefect.tasks import STARTED_FOR
from remotejobs.prefect.tasks.recovery.heart import Heart
from remotejobs.prefect.tasks.timings import timings

_TIME_TO_SEND_LOGS = 3.0  # seconds


def exit_if_superseded(flow: Flow[..., Any], flow_run: FlowRun, state: RunState[Any]) -> None:  # noqa: ARG001
    """Hook for on_running: watch over the run from a thread, in a process that a worker started for it alone.

    A run that had ended before this process came to begin it keeps that end, and nothing of it is done again.
    """
    if str(flow_run.id) != STARTED_FOR:
        return
    with _client() as client, suppress(httpx.HTTPError):
        if put_back_end(client, flow_run.id, state):
            flow_run_logger(flow_run).warning("It had ended already: this process %d ends", os.getpid())
            time.sleep(_TIME_TO_SEND_LOGS)
            os._exit(0)
    threading.Thread(target=_watch, args=(flow_run, state), name="takeover", daemon=True).start()


def put_back_end(client: SyncPrefectClient, run_id: UUID, entered: RunState[Any]) -> bool:
    """Give the run back the end that it had just before the state `entered`, if it had one; whether it did.

    Two that work on one run, such as its process and a worker that reports late, do not know of each other.
    """
    end = ended_before(entered, client.read_flow_run_states(run_id))
    if end is None:
        return False
    client.set_flow_run_state(run_id, end, force=True)
    return True


def ended_before(entered: RunState[Any], states: Sequence[RunState[Any]]) -> RunState[Any] | None:
    """The end of the run that the state `entered` came over, None if there was none. A reported death may be none."""
    before = _before(entered, states)
    return before if before and before.is_final() and not before.is_crashed() else None


@contextmanager
def _client() -> Iterator[SyncPrefectClient]:
    """Without retries: the loop tries again soon, and the pauses of Prefect's client would grow to minutes."""
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
        yield client


def _watch(run: FlowRun, began: RunState[Any]) -> None:
    pause, logger, heart = threading.Event(), flow_run_logger(run), Heart(run)
    with _client() as client:
        while not pause.wait(timings().takeover_check_interval):
            try:
                states = client.read_flow_run_states(run.id)
            except httpx.HTTPError:
                continue  # the server is away, so no other process goes on with the run
            if why := why_superseded(began, states):
                logger.warning("%s: this process %d ends, and leaves the jobs alone", why, os.getpid())
                pause.wait(_TIME_TO_SEND_LOGS)
                # Neither hooks nor a last state: the run is not this process's any more.
                os._exit(0)
            heart.beat(states)


def why_superseded(began: RunState[Any], states: Sequence[RunState[Any]]) -> str:
    """Why the process that began the run with the state `began` is to end, as its states are by now; "" for none."""
    last = max(states, key=_entered, default=began)
    before = _before(began, states)
    # It began too late: the server was away, and meanwhile the run was given to another.
    if before and before.is_running():
        return "Another process had started this run"
    if any(state.is_scheduled() and state.timestamp > began.timestamp for state in states):
        return "Another process goes on with this run"
    if last.is_cancelling() and _long_ago(last):
        return "The run was cancelled, and its worker did not end it"
    return "The run was cancelled" if last.is_cancelled() else ""


def _before(state: RunState[Any], states: Sequence[RunState[Any]]) -> RunState[Any] | None:
    return max((each for each in states if each.timestamp < state.timestamp), key=_entered, default=None)


def _long_ago(cancelling: RunState[Any]) -> bool:
    """Whether a worker would have ended the process by now."""
    return datetime.now(UTC) - cancelling.timestamp > timedelta(seconds=timings().worker_kill_timeout)


def _entered(state: RunState[Any]) -> datetime:
    return state.timestamp
