"""What a Prefect server says of runs, asked over HTTP without Prefect: the page and the locks of hosts want to know."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.settings import get_current_settings
from prefect.states import Completed, Failed, Running, Suspended

from remotejobs.operations.flow_runs import FlowRuns


@flow(name="asked-of")
def asked_of(hosts: str) -> None:
    """Never run: its runs are put into states."""


@pytest.fixture
def runs(prefect_server: Path, monkeypatch: pytest.MonkeyPatch) -> FlowRuns:
    settings = get_current_settings()
    monkeypatch.setenv("SSL_CERT_FILE", str(settings.api.ssl_cert_file))
    return FlowRuns({"PREFECT_API_URL": str(settings.api.url)})


def a_run_that_is(state: State[Any]) -> str:
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(asked_of, parameters={"hosts": "all"}, state=Running())
        client.set_flow_run_state(run.id, state, force=True)
    return str(run.id)


def test_runs_are_known_by_their_ids_with_name_state_and_whether_they_are_over(runs: FlowRuns) -> None:
    going, ended = a_run_that_is(Running()), a_run_that_is(Completed(message="all well"))
    found = runs.of_ids([going, ended, str(uuid4())])
    assert {run: (seen.state, seen.over) for run, seen in found.items()} == {
        going: ("Running", False),
        ended: ("Completed", True),
    }
    assert (found[ended].message, found[ended].parameters) == ("all well", {"hosts": "all"})
    assert found[ended].since.startswith("20")


def test_what_waits_for_a_person_and_what_was_left_unsettled_is_found_by_its_state(runs: FlowRuns) -> None:
    waiting = a_run_that_is(Suspended(timeout_seconds=3600, message="Waits for approval until tomorrow"))
    broken = a_run_that_is(Failed(name="RollbackFailed", message="db1: rc 4"))
    a_run_that_is(Failed())
    assert "Waits for approval until tomorrow" in [run.message for run in runs.waiting() if run.id == waiting]
    assert broken in [run.id for run in runs.named(["RollbackFailed", "Unknown"])]
    assert waiting not in [run.id for run in runs.named(["RollbackFailed"])]
