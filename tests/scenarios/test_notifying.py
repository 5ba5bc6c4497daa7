"""Notifications from within a flow, by a webhook or by a notification block of Prefect."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock

from lab.servers.web.webhook import Webhook
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks import notify
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.notify import NOBODY, Notify, send_notification
from remotejobs.testing import FakeHosts, Plan
from tests.task_log import TaskLog

PROJECT = Path(__file__).resolve().parents[2]


@flow(name="teller")
def notifier(whom: Notify) -> str:
    send_notification(whom, "half way", "7 of 14 hosts")
    return "went on"


@pytest.fixture
def block(webhook: Webhook) -> str:
    """A notification block as somebody makes it in the UI."""
    name = f"oncall-{uuid4().hex[:8]}"
    body = {"title": "{{subject}}", "text": "{{body}}"}
    made = CustomWebhookNotificationBlock(
        name=name, url=webhook.url, json_data=body, allow_private_urls=True, headers=None, cookies=None
    )
    made.save(name)
    return f"custom-webhook/{name}"


def test_a_webhook_receives_what_happened_and_the_address_of_the_run(webhook: Webhook) -> None:
    assert notifier(Notify(webhook=webhook.url)) == "went on"
    reported = webhook.next()
    assert (reported["flow"], reported["state"], reported["message"]) == ("teller", "half way", "7 of 14 hosts")
    assert "/runs/flow-run/" in reported["url"]


def test_a_notification_block_receives_the_same(webhook: Webhook, block: str) -> None:
    notifier(Notify(block=block))
    reported = webhook.next()
    assert reported["title"] == "teller: half way"
    assert reported["text"].startswith("7 of 14 hosts\n")
    assert webhook.silent, "once"


def test_a_notification_block_receives_a_failed_run(fake: FakeHosts, webhook: Webhook, block: str) -> None:
    fake.plan(".", Plan(rc=3))
    access = Access(inventory="db1,db2")
    run_command(access, "db1", "exit 3", label="work", notify=Notify(block=block), return_state=True)
    reported = webhook.next()
    assert reported["title"] == "run-command: Failed"
    assert "work on db1: failed, rc 3" in reported["text"]


def test_a_notification_that_fails_is_retried_and_changes_nothing(
    task_log: TaskLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_send", notify._send.with_options(retry_delay_seconds=0.1))
    with Webhook(status=500) as deaf:
        assert notifier(Notify(webhook=deaf.url)) == "went on"
        for _ in range(3):
            deaf.next()
        assert deaf.silent
    assert task_log.having("Finished in state Failed")


def test_without_a_recipient_nothing_is_sent(webhook: Webhook) -> None:
    assert notifier(NOBODY) == "went on"
    assert webhook.silent


def test_cleaning_is_a_dry_run_by_hand_and_real_by_schedule() -> None:
    entries = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
    (clean,) = [entry for entry in entries if entry["name"] == "clean-jobs"]
    assert clean["parameters"]["dry_run"] is True
    assert [schedule["parameters"] for schedule in clean["schedules"]] == [{"dry_run": False}]
