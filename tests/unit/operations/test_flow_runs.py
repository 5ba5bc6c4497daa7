"""Runs of a Prefect server that is asked over HTTP: where their pages and forms are, and which job is whose."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from remotejobs.operations.flow_runs import FlowRun, FlowRuns, PrefectNotAsked, run_of
from remotejobs.operations.web import HttpResponse


def test_a_server_that_does_not_answer_is_named_and_what_to_check() -> None:
    nobody = FlowRuns({"PREFECT_API_URL": "http://127.0.0.1:1/api"})
    with pytest.raises(PrefectNotAsked, match=r"127.0.0.1:1/api answered .*refused.* Check that PREFECT"):
        nobody.waiting()
    assert FlowRuns({}).known is False
    assert FlowRuns({}).page_of(str(uuid4())) == ""


def test_the_form_of_a_run_is_filled_in_with_the_hosts_that_failed() -> None:
    server = FlowRuns({"PREFECT_API_URL": "https://prefect.example/api", "PREFECT_UI_URL": "https://ui.example/"})
    run = FlowRun("r", "n", "Failed", over=True, deployment="d", parameters={"hosts": "all", "command": "a & b"})
    form = urlsplit(server.form_of(run, ["db1", "db2"]))
    assert (form.netloc, form.path) == ("ui.example", "/v2/deployments/deployment/d/run")
    assert json.loads(parse_qs(form.query)["parameters"][0]) == {"hosts": "db1,db2", "command": "a & b"}
    assert server.form_of(FlowRun("r", "n", "Failed", over=True, deployment="d"), ["db1"]) == ""


@pytest.mark.parametrize(
    "jid", ["dump", "run-20261130T071254-9a58ef", "service.web.1", "x4f3c1a52-7d1e-4c8b-9a60-2b7f0e5d9c11"]
)
def test_only_a_jid_that_ends_with_a_run_belongs_to_one(jid: str) -> None:
    assert run_of(jid) == ""
    assert run_of(f"{jid}.0e9d3a0a-1111-4222-8333-123456789abc") == "0e9d3a0a-1111-4222-8333-123456789abc"


@pytest.mark.parametrize(
    "body", ['{"detail": "no"}', "[1]", '["x"]', '[{"id": "a", "name": "b", "state": "c"}]', "<p>"]
)
def test_an_answer_of_another_shape_is_not_understood_and_no_fault_of_ours(
    body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = HttpResponse(status=200, body=body)
    monkeypatch.setattr("remotejobs.operations.prefect_server.fetch", lambda *_, **__: answer)
    with pytest.raises(PrefectNotAsked, match="the answer of http://p/api is not understood"):
        FlowRuns({"PREFECT_API_URL": "http://p/api"}).waiting()
