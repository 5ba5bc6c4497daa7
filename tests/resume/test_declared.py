"""`make deploy` shows what would change, makes it so, reads it back, and changes nothing the second time."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore

from lab.process import LabError, ServerProcess
from lab.servers.web.webhook import Webhook
from remotejobs.errors import UsageError
from remotejobs.prefect.deployments import declared, flows
from remotejobs.prefect.deployments.declared import WorkPool
from remotejobs.prefect.deployments.pools_and_limits import pool_changes
from tests.cluster import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LIMIT, POOL = "/v2/concurrency_limits/forks:hosts", "/work_pools/remotejobs"
SCHEDULE = {"cron": "0 3 * * *", "timezone": "Etc/UTC"}
NIGHTLY, EXTRA, AUTOMATION = "clean-jobs", "extra", "An extra automation"


def test_what_somebody_changed_is_shown_and_only_then_put_right(cluster: Cluster) -> None:
    cluster.api.ask("PATCH", LIMIT, {"limit": 7, "active": False})
    # Somebody gave the work pool a limit.
    cluster.api.ask("PATCH", POOL, {"concurrency_limit": 20})
    shown = cluster.prefect.declare("--plan")
    assert "~ limit forks:hosts\n    limit: 7 -> 200\n    active: False -> True\n" in shown
    assert "~ work pool remotejobs\n    concurrency_limit: 20 -> None\n" in shown
    assert shown.endswith("2 to change\n")
    assert json.loads(cluster.api.ask("GET", LIMIT))["limit"] == 7
    assert "applied 2 changes\n" in cluster.prefect.declare()
    now = json.loads(cluster.api.ask("GET", LIMIT))
    assert (now["limit"], now["active"]) == (200, True)
    assert json.loads(cluster.api.ask("GET", POOL))["concurrency_limit"] is None


def test_a_server_that_takes_a_change_and_does_not_hold_it_is_reported(cluster: Cluster) -> None:
    cluster.api.ask("PATCH", LIMIT, {"limit": 7})
    keep = (
        'AFTER UPDATE ON concurrency_limit_v2 BEGIN UPDATE concurrency_limit_v2 SET "limit" = 7 WHERE id = NEW.id; END'
    )
    with closing(sqlite3.connect(cluster.prefect.database, timeout=60)) as database:
        database.execute(f"CREATE TRIGGER stubborn {keep}")
        database.commit()
        try:
            with pytest.raises(LabError, match="ended with 1") as refused:
                cluster.prefect.declare()
        finally:
            database.execute("DROP TRIGGER stubborn")
            database.commit()
    cluster.api.ask("PATCH", LIMIT, {"limit": 200})
    reported = "error: the server took the changes, and does not hold what is declared:\n"
    assert f"{reported}~ limit forks:hosts\n    limit: 7 -> 200\n" in str(refused.value)
    assert "applied" not in str(refused.value)


def test_a_pool_of_another_type_is_refused_with_what_to_do(cluster: Cluster) -> None:
    cluster.api.ask("POST", "/work_pools/", {"name": "other", "type": "docker"})
    with (
        SyncPrefectClient(cluster.prefect.api_url) as client,
        pytest.raises(UsageError, match="the server has it as docker"),
    ):
        list(pool_changes(client, [WorkPool(name="other", type="process")]))


def test_an_alert_is_sent_where_the_environment_says_and_no_secret_is_shown(
    cluster: Cluster, survivor: ServerProcess
) -> None:
    with Webhook() as webhook:
        secrets = {"REMOTEJOBS_ALERT_URL": webhook.url, "REMOTEJOBS_SUDO_PASSWORD": "hunter2"}
        said = cluster.prefect.declare(**secrets)
        assert "block sudo-password" in said
        assert "hunter2" not in said
        again = cluster.prefect.declare(**secrets)
        assert "nothing to change" in again, "a server that is as declared is left as it is"
        assert not [line for line in again.splitlines() if line.startswith(("+", "~", "-"))]
        run = cluster.api.run(next(each for each in cluster.api.deployments() if each.name == "clean-jobs"))
        cluster.await_state(run, "Failed")
        while not (text := str(webhook.next()["text"])).startswith("clean-jobs: Failed\n"):
            assert text.startswith("No good backup"), text


@dataclass(frozen=True)
class DeclaredFiles:
    """A prefect.yaml and a resources.yml of somebody who declares more than there is in the project, and then less."""

    prefect: Path
    resources: Path

    @property
    def options(self) -> tuple[str, ...]:
        return "--prefect-file", str(self.prefect), "--resources", str(self.resources)

    def write(self, deployments: list[dict[str, Any]], automations: list[dict[str, Any]]) -> None:
        for path, source, key, more in (
            (self.prefect, flows.FILE, "deployments", deployments),
            (self.resources, declared.FILE, "automations", automations),
        ):
            content = yaml.safe_load(source.read_text())
            names = {each["name"] for each in more}
            content[key] = [each for each in content[key] if each["name"] not in names] + more
            path.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture
def files(cluster: Cluster, tmp_path: Path) -> DeclaredFiles:
    """A deployment more, which is not described, a schedule and a limit more, an automation more: deployed."""
    files = DeclaredFiles(tmp_path / "prefect.yaml", tmp_path / "resources.yml")
    (run_command,) = [each for each in content(flows.FILE)["deployments"] if each["name"] == "run-command"]
    extra = {**run_command, "name": EXTRA, "schedules": [SCHEDULE]}
    del extra["description"]
    scheduled = {
        **run_command,
        "schedules": [SCHEDULE],
        "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"},
    }
    trigger = {"type": "event", "posture": "Reactive", "expect": ["nothing.such"], "threshold": 1, "within": 0}
    automation = {"name": AUTOMATION, "trigger": trigger, "actions": [{"type": "do-nothing"}]}
    files.write([extra, scheduled], [automation])
    said = cluster.prefect.declare(*files.options)
    assert f"+ run-command/{EXTRA}" in said
    assert f"+ automation {AUTOMATION}" in said
    return files


def copied(automation: Automation) -> dict[str, Any]:
    return {"trigger": automation.trigger, "actions": automation.actions}


def content(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_what_is_taken_out_of_the_files_is_shown_and_gone_from_the_server_and_nothing_else(
    cluster: Cluster, files: DeclaredFiles
) -> None:
    with SyncPrefectClient(cluster.prefect.api_url) as client:
        there = client.read_deployment_by_name("run-command/run-command")
        assert [schedule.schedule.model_dump()["cron"] for schedule in there.schedules] == [SCHEDULE["cron"]]
        extra = client.read_deployment_by_name(f"run-command/{EXTRA}")
        # Somebody made these by hand, of the same flow.
        by_hand = client.create_deployment(extra.flow_id, name="by-hand", entrypoint=extra.entrypoint, tags=extra.tags)
        (automation,) = client.read_automations_by_name(AUTOMATION)
        also_by_hand = client.create_automation(AutomationCore(name="By hand", **copied(automation)))

        files.write([], [])
        shown = cluster.prefect.declare("--plan", *files.options)
        for change in (
            r"~ run-command/run-command: schedules: \[\('0 3 \* \* \*', 'Etc/UTC', .*\)\] -> \[\]",
            r"~ run-command/run-command: concurrency: \(1, .*\) -> \(None, None\)",
            f"^- deployment run-command/{EXTRA}$",
            f"^- automation {AUTOMATION}$",
        ):
            assert re.search(change, shown, re.MULTILINE), shown
        assert shown.endswith("3 to change\n")
        assert client.read_deployment(extra.id).schedules, "a plan changes nothing"

        assert "applied 3 changes\n" in cluster.prefect.declare(*files.options)
        there = client.read_deployment_by_name("run-command/run-command")
        assert (there.schedules, there.global_concurrency_limit) == ([], None)
        ids = {deployment.id for deployment in client.read_deployments()}
        assert (extra.id in ids, by_hand in ids) == (False, True)
        automations = {each.id for each in client.read_automations()}
        assert (automation.id in automations, also_by_hand in automations) == (False, True)
        assert "nothing to change" in cluster.prefect.declare(*files.options)
