"""The dead man's switch of the nightly backup, with an interval that a test can wait for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.settings import PREFECT_API_URL, temporary_settings

from lab.process import ServerProcess
from lab.servers.web.webhook import Webhook
from remotejobs.prefect.deployments.automations import automation_changes
from remotejobs.prefect.deployments.blocks import block_changes
from remotejobs.prefect.deployments.declared import read
from tests.cluster import Cluster, await_true
from tests.resume.conftest import start_backup

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NAME = "Notify when no backup succeeded in 26 hours"
INTERVAL = timedelta(seconds=20)  # in place of 26 hours


def alerts_after(client: SyncPrefectClient, moment: datetime) -> list[datetime]:
    """When the automation acted after it, by the server's clock; oldest first."""
    (automation,) = client.read_automations_by_name(NAME)
    wanted = EventFilter(
        event=EventNameFilter(name=["prefect.automation.triggered"]),
        resource=EventResourceFilter(id=[f"prefect.automation.{automation.id}"]),
        occurred=EventOccurredFilter.model_validate({"since": moment, "until": datetime.now(UTC) + timedelta(hours=1)}),
    )
    return sorted(event.occurred for event in client.read_events(wanted, limit=50).events)


def next_alert(webhook: Webhook) -> str:
    """Other automations post there as well."""
    while not (text := str(webhook.next()["text"])).startswith("No good backup"):
        continue
    return text


def test_on_call_is_notified_when_no_backup_was_good_and_a_good_one_puts_it_off(
    cluster: Cluster, survivor: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Webhook() as webhook, temporary_settings({PREFECT_API_URL: cluster.prefect.api_url}):
        monkeypatch.setenv("REMOTEJOBS_ALERT_URL", webhook.url)
        declared = read(within={NAME: int(INTERVAL.total_seconds())})
        only_this = [automation for automation in declared.automations if automation.name == NAME]
        declared = declared.model_copy(update={"automations": only_this})
        with get_client(sync_client=True) as client:
            for changes in (block_changes(client, declared.blocks), automation_changes(client, declared)):
                for change in changes:
                    if change.apply:
                        change.apply()
            assert next_alert(webhook).splitlines() == [
                "No good backup in 26 hours",
                "No run of nightly-backup was Completed in the last 26 hours.",
            ]
            run = start_backup(cluster, "good")
            cluster.go("good")
            cluster.await_state(run, "Completed")
            state = client.read_flow_run(run.id).state
            assert state
            await_true(lambda: bool(alerts_after(client, state.timestamp)))
            assert alerts_after(client, state.timestamp)[0] - state.timestamp >= INTERVAL
