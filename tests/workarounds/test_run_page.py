"""The address of a run's page."""

from __future__ import annotations

import pytest
from prefect.runtime import flow_run
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLOUD_API_URL,
    PREFECT_SERVER_UI_V2_ENABLED,
    PREFECT_UI_URL,
    temporary_settings,
)

from remotejobs.workarounds.prefect.run_page import page_of

RUN = "3f2b0c7e-0000-4000-8000-000000000000"


def test_a_run_has_a_page_in_the_ui_and_prefects_runtime_leads_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", RUN)
    with temporary_settings({PREFECT_UI_URL: "http://server:4200"}):
        assert page_of(RUN) == f"http://server:4200/v2/runs/flow-run/{RUN}"
        assert flow_run.ui_url == f"http://server:4200/flow-runs/flow-run/{RUN}"


def test_it_is_in_the_ui_that_the_server_opens() -> None:
    with temporary_settings({PREFECT_UI_URL: "http://server:4200", PREFECT_SERVER_UI_V2_ENABLED: False}):
        assert page_of(RUN) == f"http://server:4200/runs/flow-run/{RUN}"


def test_prefect_cloud_has_one_ui() -> None:
    cloud = f"{PREFECT_CLOUD_API_URL.value()}/accounts/a/workspaces/b"
    with temporary_settings({PREFECT_UI_URL: "https://app.example", PREFECT_API_URL: cloud}):
        assert page_of(RUN) == f"https://app.example/runs/flow-run/{RUN}"


def test_without_a_server_there_is_none() -> None:
    with temporary_settings(restore_defaults={PREFECT_UI_URL, PREFECT_API_URL}):
        assert page_of(RUN) == ""
