"""`make deploy` shows what would change, makes it so, and changes nothing the second time."""

from __future__ import annotations

import json

import pytest
from prefect.client.orchestration import SyncPrefectClient

from deployments.declared import WorkPool
from deployments.pools_and_limits import pool_changes
from lab.webhook import Webhook
from remotejobs.errors import BadUse
from tests.resume.conftest import Night

pytestmark = pytest.mark.slow


def test_a_server_that_is_as_declared_is_left_as_it_is(night: Night) -> None:
    night.prefect.declare()
    said = night.prefect.declare()
    assert "nothing to change" in said
    assert not [line for line in said.splitlines() if line.startswith(("+", "~"))]


def test_what_somebody_changed_is_shown_and_only_then_put_right(night: Night) -> None:
    limit = "/v2/concurrency_limits/forks:hosts"
    night.api.ask("PATCH", limit, {"limit": 7, "active": False})
    shown = night.prefect.declare("--plan")
    assert "~ limit forks:hosts\n    limit: 7 -> 200\n    active: False -> True\n" in shown
    assert shown.endswith("1 to change\n")
    assert json.loads(night.api.ask("GET", limit))["limit"] == 7
    assert "applied 1 change\n" in night.prefect.declare()
    now = json.loads(night.api.ask("GET", limit))
    assert (now["limit"], now["active"]) == (200, True)


def test_a_pool_of_another_type_is_refused_with_what_to_do(night: Night) -> None:
    night.api.ask("POST", "/work_pools/", {"name": "other", "type": "docker"})
    with SyncPrefectClient(night.prefect.api_url) as client, pytest.raises(BadUse, match="the server has it as docker"):
        list(pool_changes(client, [WorkPool(name="other", type="process")]))


def test_an_alert_is_sent_where_the_environment_says_and_no_secret_is_shown(night: Night) -> None:
    with Webhook() as webhook:
        said = night.prefect.declare(REMOTEJOBS_ALERT_URL=webhook.url, REMOTEJOBS_SUDO_PASSWORD="hunter2")
        assert "+ block sudo-password" in said
        assert "+ automation A failed run is told" in said
        assert "hunter2" not in said
        assert "nothing to change" in night.prefect.declare(
            REMOTEJOBS_ALERT_URL=webhook.url, REMOTEJOBS_SUDO_PASSWORD="hunter2"
        )
        night.prefect.start_worker("alerting")
        run = night.api.run(next(each for each in night.api.deployments() if each.name == "clean-jobs"))
        night.await_state(run, "Failed")
        assert webhook.next()["text"].startswith("clean-jobs: Failed\n")


def test_a_limit_that_somebody_gave_the_work_pool_is_taken_away(night: Night) -> None:
    pool = "/work_pools/remotejobs"
    night.api.ask("PATCH", pool, {"concurrency_limit": 20})
    assert "~ work pool remotejobs\n    concurrency_limit: 20 -> None\n" in night.prefect.declare()
    assert json.loads(night.api.ask("GET", pool))["concurrency_limit"] is None
