"""A migration that a person starts, approves, watches or refuses in Prefect's UI, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from lab.demos.migration_demo import parameters
from lab.demos.shop import FAILURE, NOTHING, Shop
from lab.demos.stage import Stage
from lab.runs import await_end, await_state, deployment, start
from lab.screenshots.migration_ui import MigrationPage
from lab.servers.prefect.api import RunStatus
from lab.servers.web.webhook import Webhook
from tests.awaiting import await_true
from tests.processes import processes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

APPROVAL = {"needed": True, "within_minutes": 60}


def test_a_person_starts_approves_and_watches_a_migration_until_it_is_rolled_back(
    stage: Stage, shop: Shop, page: Page, webhook: Webhook, tmp_path: Path
) -> None:
    wanted = deployment(stage.api, "migration")
    stage.api.set_parameters(wanted, parameters(stage, FAILURE, approval=APPROVAL, hosts="fill me in"))
    person = MigrationPage(page, stage.prefect.url, tmp_path)
    person.open_form()
    person.fill("hosts", "db1")
    person.open_group("Notify")
    person.fill("Webhook", webhook.url)
    run = person.submit()
    person.answer(approve=True, reason="seen on staging")
    assert "db1" in person.await_outcome(run, "RolledBack")
    report = person.read_report(run)
    assert "db1: migrate failed, rc 3" in report
    assert "ERROR:  division by zero" in report
    assert shop.checksum("db1") == shop.untouched
    reported = webhook.next()
    assert (reported["flow"], reported["state"]) == ("migration", "RolledBack")
    assert reported["url"].endswith(f"/v2/runs/flow-run/{run}")
    assert len(list(tmp_path.glob("*.png"))) == 4


def test_while_it_waits_nothing_runs_the_button_alone_answers_nothing_and_a_no_changes_nothing(
    stage: Stage, shop: Shop, page: Page, tmp_path: Path
) -> None:
    run = start(stage.api, "migration", parameters(stage, NOTHING, approval=APPROVAL))
    await_state(stage.api, run, lambda now: now.state is not None and now.state.name == "Suspended")
    await_true(lambda: not processes(run.id))
    assert not list((stage.ssh.host("db1").results_dir).glob(".locks/*"))
    person = MigrationPage(page, stage.prefect.url, tmp_path)
    person.open_run(run.id)
    assert "'answer' is a required property" in person.answer_without_choosing()
    waiting = stage.api.flow_run(run)
    assert waiting.state and waiting.state.name == "Suspended"
    assert waiting.name == "migration of db1:db2 (waits for approval)"
    assert message(waiting).startswith("Waits for approval until ")
    page_of_run = f"{stage.prefect.url}/v2/runs/flow-run/{run.id}"
    assert any(line.startswith("Waits for approval") and line.endswith(page_of_run) for line in stage.api.log(run))
    (asked,) = [report for report in stage.api.reports(run) if report.key == "approval"]
    assert page_of_run in str(asked.data) and "**db1, db2**" in str(asked.data)
    person.answer(approve=False, reason="not on a Friday")
    person.await_outcome(run.id, "Refused")
    ended = await_end(stage.api, run)
    assert (ended.name, message(ended)) == (
        "migration of db1:db2",
        "not approved: not on a Friday. Nothing was changed",
    )
    assert {shop.checksum(host) for host in ("db1", "db2")} == {shop.untouched}


def test_no_answer_until_the_deadline_is_a_no(stage: Stage, shop: Shop) -> None:
    soon = {"needed": True, "within_minutes": 0.01}
    run = start(stage.api, "migration", parameters(stage, NOTHING, approval=soon))
    ended = await_end(stage.api, run)
    assert ended.state is not None
    assert ended.state.name == "Refused"
    assert message(ended) == "not approved: no answer in time. Nothing was changed"
    assert shop.checksum("db1") == shop.untouched


def message(run: RunStatus) -> str:
    assert run.state is not None
    return run.state.message or ""
