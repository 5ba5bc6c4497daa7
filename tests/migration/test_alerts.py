"""A migration that failed is reported, and the notification never changes its outcome."""

from __future__ import annotations

import pytest

from lab.servers.web.webhook import Webhook
from remotejobs.operations.migration import Commands
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.migration.steps import migration_on
from remotejobs.prefect.tasks.notify import Notify
from tests.migration.conftest import Control, Migrate

FAILS = Commands(migrate="exit 3", rollback="true", verify_rollback="true")


@pytest.mark.parametrize(
    ("commands", "outcome"),
    [(FAILS, "RolledBack"), (FAILS.model_copy(update={"rollback": "exit 4"}), "RollbackFailed")],
)
def test_the_alert_says_what_came_of_it(migrate: Migrate, commands: Commands, outcome: str) -> None:
    with Webhook() as webhook:
        ended = migrate("db1", commands, notify=Notify(webhook=webhook.url))
        reported = webhook.next()
    assert (reported["flow"], reported["state"], reported["message"]) == ("migration", outcome, ended.message)
    assert str(ended.id) in reported["url"]


def test_a_success_alerts_nobody(migrate: Migrate) -> None:
    with Webhook() as webhook:
        assert migrate("db1", Commands(migrate="true"), notify=Notify(webhook=webhook.url)).end == "Completed"
        assert webhook.silent


def test_one_that_a_lock_refuses_alerts_once_however_often_it_is_retried(controller: Control, access: Access) -> None:
    migration_on(access, "db1").lock.take("another", label="a migration of somebody")
    with Webhook() as webhook:
        given = {"access": access, "hosts": "db1", "commands": Commands(migrate="true")}
        run = controller({**given, "notify": Notify(webhook=webhook.url)})
        for _ in range(2):
            run.start()
            state = run.finish()
            assert state.name == "Refused"
            assert (state.message or "").startswith("Refused because of a lock. db1: a migration is under way there")
        assert webhook.next()["message"] == state.message
        assert webhook.silent


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/", "refusing"])
def test_an_alert_that_fails_hides_nothing(migrate: Migrate, target: str) -> None:
    with Webhook(status=500) as webhook:
        notify = Notify(webhook=webhook.url if target == "refusing" else target, block="slack-webhook/nowhere")
        ended = migrate("db1", FAILS, notify=notify)
    assert ended.end == "RolledBack"
    assert ended.report.startswith("# Migration: RolledBack")
