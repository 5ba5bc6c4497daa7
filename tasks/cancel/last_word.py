"""The state of a cancelled run says what became of its jobs, and its task runs end as Cancelled.

A worker ends the process of the run, runs its hooks, and only then says Cancelled, in words of its own. So the hook
leaves behind a process that waits for that and says it again, with the message from its stdin:
`python -m remotejobs.prefect.tasks.cancel.last_word RUN`. Where that process dies, the worker's words stand, and the
log and the table `cancelled` say it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.settings import get_current_settings
from prefect.states import Cancelled

from remotejobs.workarounds.prefect.stale_cancel import RUNNERS_WORDS

_WITHIN = 120.0  # seconds, for a worker on a machine that has much else to do
_ASK_EVERY = 0.5
_PAGE = 200
# Those of a process that died are Crashed, or whatever they were when it was ended.
_ENDED_BY_IT = [StateType.RUNNING, StateType.PENDING, StateType.SCHEDULED, StateType.PAUSED, StateType.CRASHED]


def leave_last_word(flow_run: FlowRun, message: str) -> None:
    """Let the run's last state have this message, once its worker has said that it is Cancelled."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(flow_run.id).state
    if state is None or not state.is_cancelling():
        return
    settings = get_current_settings().to_environment_variables(exclude_unset=True, include_secrets=True)
    command = [sys.executable, "-m", __name__, str(flow_run.id)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # it outlives the hook's process
        env={**os.environ, **settings},
    )
    assert process.stdin
    with process.stdin as words:
        words.write(message.encode())


def say(client: SyncPrefectClient, run: UUID, message: str) -> bool:
    """Say it if the run's worker has called it Cancelled by now; False while it may still do so."""
    state = client.read_flow_run(run).state
    if state is None or state.is_cancelling():
        return False
    if state.is_cancelled() and state.message == RUNNERS_WORDS and set_cancelled(client, run, message, over=state):
        end_task_runs(client, run)
    return True


def set_cancelled(client: SyncPrefectClient, run: UUID, message: str, *, over: State[Any]) -> bool:
    """Set the run, whose last state was `over`, to Cancelled; False if it got another one at that very moment.

    That one, such as a person's retry, is put back: the server sets a state on no condition, so ours took its place.
    """
    known = {state.id for state in client.read_flow_run_states(run)}
    now = client.read_flow_run(run).state
    if now is None or now.id != over.id:
        return False
    client.set_flow_run_state(run, Cancelled(message=message), force=True)
    states = client.read_flow_run_states(run)  # oldest first
    between = [state for state in states if state.id not in known and not state.is_cancelled()]
    now = client.read_flow_run(run).state
    if now is None or now.message != message:
        return False  # something came after ours, and stands
    if between:
        client.set_flow_run_state(run, between[-1], force=True)
    return not between


def end_task_runs(client: SyncPrefectClient, run: UUID) -> None:
    """Set to Cancelled what the run's process was about when it was ended, but for the runs of flows that it called."""
    for task_run in list(_unfinished(client, run)):
        if task_run.state and not task_run.state.state_details.child_flow_run_id:
            client.set_task_run_state(task_run.id, Cancelled(message="Its flow run was cancelled"), force=True)


def _unfinished(client: SyncPrefectClient, run: UUID) -> Iterator[TaskRun]:
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    unfinished = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_ENDED_BY_IT)))
    offset = 0
    while page := client.read_task_runs(flow_run_filter=mine, task_run_filter=unfinished, limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)


def main(run: str) -> None:
    message = sys.stdin.read()
    deadline = time.monotonic() + _WITHIN
    with get_client(sync_client=True) as client:
        while not say(client, UUID(run), message) and time.monotonic() < deadline:
            time.sleep(_ASK_EVERY)


if __name__ == "__main__":
    main(sys.argv[1])
