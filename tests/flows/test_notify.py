"""Somebody is told of a failed run, and the telling never changes the outcome."""

from __future__ import annotations

import pytest
from prefect.client.schemas.objects import State as RunState

from flows.run_command import run_command
from lab.webhook import Webhook
from tasks.access import Access
from tasks.ends import End
from tasks.errors import HostsFailed
from tasks.notify import Message, Notify
from tasks.until import Until


def run(access: Access, command: str, notify: Notify) -> RunState[list[End]]:
    until = Until(retries=300, delay=0.1)
    state: RunState[list[End]] = run_command(
        access, "db1", command, label="work", until=until, notify=notify, return_state=True
    )
    return state


def test_a_failed_run_is_told_to_a_webhook(access: Access, webhook: Webhook) -> None:
    run(access, "exit 3", Notify(webhook=webhook.url))
    told = Message.model_validate(webhook.next())
    assert (told.flow, told.state) == ("run-command", "Failed")
    assert "work on db1: failed, rc 3" in told.message
    assert "/runs/flow-run/" in told.url


def test_a_run_that_succeeds_is_not_told(access: Access, webhook: Webhook) -> None:
    run(access, "true", Notify(webhook=webhook.url))
    assert webhook.silent


def test_a_notification_that_fails_does_not_hide_the_outcome(access: Access) -> None:
    nobody_listens = Notify(webhook="http://127.0.0.1:9/", block="slack-webhook/nowhere")
    with pytest.raises(HostsFailed, match="rc 3"):
        run(access, "exit 3", nobody_listens).result()
