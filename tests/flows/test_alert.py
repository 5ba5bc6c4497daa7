"""Alerts and recoveries are made once for each event, however often a busy server fires for it."""

from __future__ import annotations

from uuid import uuid4

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Crashed, Failed, Pending, Running

from lab.servers.web.webhook import Webhook
from remotejobs.prefect.tasks.notify import is_news
from remotejobs.prefect.tasks.recovery.first import event_is_handled
from remotejobs.prefect.tasks.state_alert import notify_of_state


def block_for(url: str) -> str:
    """The notification block of deployments/resources.yml, saved."""
    text = {"text": "{{subject}}\n{{body}}"}
    made = CustomWebhookNotificationBlock(
        name="alert", url=url, json_data=text, allow_private_urls=True, headers=None, cookies=None
    )
    made.save("alert-of-a-test", overwrite=True)
    return "custom-webhook/alert-of-a-test"


@flow
def receiver() -> None:
    """Stands for `alert` or `recover`, which an automation starts."""


@flow
def subject() -> None:
    """Stands for the run that an event is about."""


class Started:
    """Runs of one deployment, started for an event about one run."""

    def __init__(self, client: SyncPrefectClient) -> None:
        self.client = client
        self.about = uuid4()
        self._deployment = client.create_deployment(client.create_flow(receiver), name=f"receiver-{uuid4()}")

    def run(self, event: str, state: State[None]) -> FlowRun:
        parameters = {"flow_run_id": str(self.about), "event": event}
        run = self.client.create_flow_run_from_deployment(self._deployment, parameters=parameters)
        self.client.set_flow_run_state(run.id, state, force=True)
        return run


@pytest.mark.parametrize("state", [Pending(), Running(), Completed()], ids=lambda state: str(state.name))
def test_of_two_that_one_event_started_the_second_does_nothing(
    state: State[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with get_client(sync_client=True) as client:
        started = Started(client)
        first, second, other = (started.run(event, state) for event in ("a", "a", "b"))
        for run, event, done in (
            (first, "a", ""),
            (second, "a", f"nothing to do: {first.id} was started before it for the same event"),
            (other, "b", ""),
        ):
            monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(run.id))
            assert event_is_handled(started.about, event) == done


def test_the_second_does_it_when_the_first_came_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    came_to_nothing: tuple[State[None], ...] = (Crashed(), Failed())
    with get_client(sync_client=True) as client:
        for state in came_to_nothing:
            started = Started(client)
            started.run("a", state)
            monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(started.run("a", Running()).id))
            assert event_is_handled(started.about, "a") == ""


def test_it_notifies_of_the_state_that_the_event_is_about_though_the_run_has_another_by_now(webhook: Webhook) -> None:
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(subject)
        client.set_flow_run_state(run.id, Failed(message="rc 3"), force=True)
        failed = client.read_flow_run(run.id).state
        assert failed
        client.set_flow_run_state(run.id, Running(), force=True)
    said = notify_of_state(run.id, str(failed.id), block_for(webhook.url))
    assert said == f"notified: {run.name} is Failed"
    reported = webhook.next()
    assert str(reported["text"]).startswith(f"subject: Failed\nrc 3\n{run.name} http")


def test_an_end_that_a_retried_run_only_reports_again_is_no_news() -> None:
    assert not is_news(Failed(name="RolledBack", message="Nothing ran again; this is the end of 12:00"))
    assert is_news(Failed(message="rc 3"))
