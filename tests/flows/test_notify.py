"""A failed run is reported, and the notification never changes the outcome."""

from __future__ import annotations

import pytest
from prefect.client.schemas.objects import State as RunState

from lab.servers.web.webhook import Webhook
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.notify import Message, Notify
from remotejobs.testing import FakeHosts, Plan


def run(command: str, notify: Notify) -> RunState[list[JobResult]]:
    state: RunState[list[JobResult]] = run_command(
        Access(inventory="db1,db2"), "db1", command, label="work", notify=notify, return_state=True
    )
    return state


@pytest.fixture(autouse=True)
def _exit_3_fails(fake: FakeHosts) -> None:
    fake.plan("exit 3", Plan(rc=3))


def test_a_failed_run_is_reported_to_a_webhook(webhook: Webhook) -> None:
    run("exit 3", Notify(webhook=webhook.url))
    reported = Message.model_validate(webhook.next())
    assert (reported.flow, reported.state) == ("run-command", "Failed")
    assert "work on db1: failed, rc 3" in reported.message
    assert "/runs/flow-run/" in reported.url


def test_a_run_that_succeeds_is_not_reported(webhook: Webhook) -> None:
    assert run("true", Notify(webhook=webhook.url)).is_completed()
    assert webhook.silent


def test_a_notification_that_fails_does_not_hide_the_outcome() -> None:
    nobody_listens = Notify(webhook="http://127.0.0.1:9/", block="slack-webhook/nowhere")
    with pytest.raises(HostsFailed, match="rc 3"):
        run("exit 3", nobody_listens).result()
