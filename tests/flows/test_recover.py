"""A run whose process is dead is resumed, unless that is no use, or the server does not have it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Completed, Crashed, Pending, Running

from remotejobs.prefect.flows.recover import recover_stuck_runs
from remotejobs.prefect.tasks.recovery import heartbeats, recover, stuck_runs, takeover
from remotejobs.prefect.tasks.recovery.recover import CrashLoop, NotResumed, resume
from remotejobs.prefect.tasks.timings import Timings


@flow
def nothing() -> None:
    """Stands for a flow whose process died."""


def dead(client: SyncPrefectClient, *, deployed: bool) -> FlowRun:
    if not deployed:
        return client.create_flow_run(nothing, state=Crashed())
    deployment = client.create_deployment(client.create_flow(nothing), name="to-recover")
    run = client.create_flow_run_from_deployment(deployment)
    die(client, run)
    return client.read_flow_run(run.id)


def die(client: SyncPrefectClient, run: FlowRun) -> None:
    then: State[None]
    for then in (Running(), Crashed()):
        client.set_flow_run_state(run.id, then, force=True)


def test_it_is_resumed_five_times_within_an_hour_and_left_alone_at_its_sixth_death() -> None:
    with get_client(sync_client=True) as client:
        run = dead(client, deployed=True)
        for time in range(1, 6):
            assert resume(client, run) == f"its process is dead: it was resumed, {time} of at most 5 times"
            state = client.read_flow_run(run.id).state
            assert state and state.name == AwaitingRetry().name
            die(client, run)
        with pytest.raises(CrashLoop, match="was resumed 5 times within an hour, and its process died again"):
            resume(client, run)


def test_it_is_not_called_resumed_when_the_server_refuses() -> None:
    with get_client(sync_client=True) as client:
        run = dead(client, deployed=False)
        with pytest.raises(NotResumed, match="its process is dead, and the server did not let it be resumed: .*deploy"):
            resume(client, run)
        state = client.read_flow_run(run.id).state
        assert state and state.is_crashed()


def wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = Timings(
        start_timeout=0, cancel_log_timeout=0, heartbeat_wait=1, heartbeat_wait_at_least=1, process_exit_timeout=0
    )
    for module in (stuck_runs, heartbeats, recover):
        monkeypatch.setattr(module, "timings", lambda: at_once)


@pytest.mark.parametrize("death", [Running(), Crashed()], ids=["silent", "crashed"])
def test_a_dead_run_that_no_automation_noticed_is_found_and_resumed(
    death: State[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_nothing(monkeypatch)
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(nothing), name="to-find")
        run = client.create_flow_run_from_deployment(deployment, tags=["resumable"])
        client.set_flow_run_state(run.id, death, force=True)
        done = recover_stuck_runs()
        assert done[run.id] == "its process is dead: it was resumed, 1 of at most 5 times"
        state = client.read_flow_run(run.id).state
        assert state and state.name == AwaitingRetry().name


def test_of_cancelled_runs_only_one_that_was_not_asked_to_end_is_found_and_its_jobs_are_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait_for_nothing(monkeypatch)
    monkeypatch.setattr(recover, "cancel_here", lambda _client, _run: "None of its 2 jobs runs any more")
    with get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow(nothing), name="to-find")
        cut, ended = (client.create_flow_run_from_deployment(deployment, tags=["resumable"]) for _ in range(2))
        for run in (cut, ended):
            client.set_flow_run_state(run.id, Running(), force=True)
        client.set_flow_run_state(ended.id, Cancelling(), force=True)
        for run in (cut, ended):
            client.set_flow_run_state(run.id, Cancelled(), force=True)
        done = recover_stuck_runs()
        assert done[cut.id] == "no worker cancelled it, so it was done here. None of its 2 jobs runs any more"
        assert ended.id not in done
        assert names_of(client, cut)[-2:] == ["Cancelled", "Cancelled"]
        assert cut.id not in recover_stuck_runs()


def names_of(client: SyncPrefectClient, run: FlowRun) -> list[str | None]:
    return [state.name for state in sorted(client.read_flow_run_states(run.id), key=lambda state: state.timestamp)]


class Gone(Exception):
    """Stands for the end of a process."""


def test_a_process_that_begins_a_run_after_it_was_completed_gives_it_its_end_back_and_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(status: int) -> None:
        raise Gone(status)

    with get_client(sync_client=True) as client:
        run = client.create_flow_run(nothing, state=Running())
        client.set_flow_run_state(run.id, Completed(message="all went well"), force=True)
        client.set_flow_run_state(run.id, Running(), force=True)
        late = client.read_flow_run(run.id).state
        assert late
        monkeypatch.setattr(takeover, "STARTED_FOR", str(run.id))
        monkeypatch.setattr("os._exit", leave)
        monkeypatch.setattr(takeover, "_TIME_TO_SEND_LOGS", 0)
        with pytest.raises(Gone):
            takeover.exit_if_superseded(nothing, run, late)
        end = client.read_flow_run(run.id).state
        assert end and (end.name, end.message) == ("Completed", "all went well")


def test_a_run_that_ends_while_its_false_death_is_put_right_stays_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    with get_client(sync_client=True) as client:
        run = dead(client, deployed=True)
        put = client.set_flow_run_state

        def lately(run_id: UUID, state: State[None], force: bool = False) -> object:
            if state.is_running():  # its process ends just before
                put(run_id, Completed(message="all went well"), force=True)
            return put(run_id, state, force=force)

        monkeypatch.setattr(client, "set_flow_run_state", lately)
        monkeypatch.setattr(recover, "await_heartbeat", lambda *_, **__: True)
        assert recover._revive(client, run, datetime.now(UTC)).endswith("ended just now")
        assert names_of(client, run)[-3:] == ["Completed", "Running", "Completed"]
        end = client.read_flow_run(run.id).state
        assert end and end.message == "all went well"


def test_a_retry_stands_that_comes_while_the_run_is_cancelled_in_place_of_its_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once = Timings(cancel_log_timeout=0, heartbeat_wait=1, process_exit_timeout=0)
    for module in (recover, heartbeats):
        monkeypatch.setattr(module, "timings", lambda: at_once)

    def cancel(client: SyncPrefectClient, run: FlowRun) -> str:
        states: list[State[None]] = [Cancelled(message="by its worker"), AwaitingRetry()]
        for state in states:
            client.set_flow_run_state(run.id, state, force=True)
        return "db1: killed"

    monkeypatch.setattr(recover, "cancel_here", cancel)
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(nothing, state=Cancelling())
        assert recover._finish_cancelling(client, run).endswith(
            "db1: killed. That was done here, and meanwhile it became AwaitingRetry"
        )
        assert names_of(client, run)[-1] == "AwaitingRetry"


def test_one_that_its_worker_cancelled_for_a_request_from_before_its_retry_is_resumed() -> None:
    words = "Flow run was cancelled successfully."
    asked: list[State[None]] = [Cancelling(), Cancelled(message=words)]
    retried: list[State[None]] = [AwaitingRetry(), Pending(), Crashed(), Cancelled(message=words)]
    with get_client(sync_client=True) as client:
        run = dead(client, deployed=True)
        for state in asked:
            client.set_flow_run_state(run.id, state, force=True)
        now = datetime.now(UTC)
        assert recover._recover_run(client, client.read_flow_run(run.id), now) == "nothing to do: it is Cancelled"
        for state in retried:
            client.set_flow_run_state(run.id, state, force=True)
        done = recover._recover_run(client, client.read_flow_run(run.id), now)
        assert done.endswith("for a request from before its retry: it was resumed, 1 of at most 5 times")
        assert names_of(client, run)[-2:] == ["Cancelled", "AwaitingRetry"]
        for state in (Pending(), Cancelling(), Cancelled(message=words)):
            client.set_flow_run_state(run.id, state, force=True)
        assert recover._recover_run(client, client.read_flow_run(run.id), now) == "nothing to do: it is Cancelled"
