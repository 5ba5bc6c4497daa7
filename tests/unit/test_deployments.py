"""What prefect.yaml and deployments/resources.yml declare, without a server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.flows import load_flow_from_entrypoint

from remotejobs.errors import UsageError
from remotejobs.operations.backup import BackupPlan
from remotejobs.prefect.deployments.blocks import block_changes
from remotejobs.prefect.deployments.declared import BlockValues, read
from remotejobs.prefect.deployments.flows import PROJECT
from remotejobs.prefect.tasks.recovery.takeover import exit_if_superseded

DECLARED = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]


def test_dead_runs_cannot_take_the_places_of_those_that_recover_them() -> None:
    assert [pool.concurrency_limit for pool in read().work_pools] == [None]


def test_no_deployment_is_in_a_pool_that_nobody_may_serve() -> None:
    assert {entry["work_pool"]["name"] for entry in DECLARED} == {pool.name for pool in read().work_pools}


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["name"]) for entry in DECLARED])
def test_where_another_process_may_go_on_with_a_run_the_one_before_it_ends_itself(entry: dict[str, Any]) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(str(PROJECT / entry["entrypoint"]))
    begins_anew = not {"alert", "resumable", "recover"}.isdisjoint(entry.get("tags", []))
    assert exit_if_superseded in flow.on_running_hooks or not begins_anew
    # Waiting for its next try, a run looks like one that another process goes on with.
    assert not (begins_anew and flow.retries)


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["name"]) for entry in DECLARED])
def test_what_people_start_is_told_apart_from_what_only_remotejobs_starts(entry: dict[str, Any]) -> None:
    mechanical = entry["name"].startswith("zz-")
    assert {"ops", "internal"}.intersection(entry["tags"]) == {"internal" if mechanical else "ops"}
    assert entry["description"].startswith("Not to be started by hand.") == mechanical


def test_a_list_by_name_ends_with_what_only_remotejobs_starts() -> None:
    assert [entry["name"] for entry in DECLARED if "internal" in entry["tags"]] == [
        "zz-expire-approval",
        "zz-alert",
        "zz-recover",
        "zz-recover-stuck-runs",
    ]
    assert all(entry["name"] < "zz-" for entry in DECLARED if "ops" in entry["tags"])


def test_no_restore_test_that_is_shipped_is_made_on_the_server_that_was_dumped() -> None:
    (nightly,) = [entry for entry in DECLARED if entry["name"] == "nightly-backup"]
    plan = BackupPlan.model_validate(nightly["parameters"]["plan"])
    assert [item.restore_on for item in plan.databases if item.restore_test] == ["cluster"]
    assert plan.name


def test_no_recovery_is_started_for_a_recovery() -> None:
    """Slow together, they would go on and on."""
    (recovery,) = [entry for entry in DECLARED if entry["name"] == "zz-recover"]
    started_for = {
        automation.trigger["match_related"]["prefect.resource.id"]
        for automation in read().automations
        if automation.needs == ["recover/zz-recover"]
    }
    assert started_for == {"prefect.tag.resumable"}
    assert "resumable" not in recovery["tags"]


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("limits: [{name: a, limit: 0}]", "resources.yml: the file: limits.0.limit: Input should be greater than"),
        ("limits: [{name: a, most: 1}]", "limits.0.most: Extra inputs are not permitted"),
        (
            "automations: [{name: x, trigger: {type: event, posture: Loud}, actions: [{type: do-nothing}]}]",
            "resources.yml: automation 'x': trigger.event.posture: Input should be Posture.Reactive",
        ),
        ("limits: [", "wrong.yml is no YAML: "),
    ],
)
def test_what_is_declared_wrongly_is_named_before_anything_is_changed(tmp_path: Path, text: str, reported: str) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(text)
    with pytest.raises(UsageError, match=re.escape(reported)):
        read(wrong)


def test_no_value_of_a_block_is_shown_where_it_is_refused() -> None:
    secret = BlockValues(type="custom-webhook", name="alert", values={"name": "alert", "url": 17, "method": "hunter2"})
    with pytest.raises(UsageError, match="resources.yml: block 'alert': .*method: ") as refused:
        next(block_changes(cast(SyncPrefectClient, None), [secret]))
    assert "hunter2" not in str(refused.value)


def test_a_block_of_a_type_that_there_is_not_is_bad_use() -> None:
    odd = BlockValues(type="sercet", name="password", values={})
    with pytest.raises(UsageError, match="block 'password': there is no type 'sercet'"):
        next(block_changes(cast(SyncPrefectClient, None), [odd]))


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("", "error: no Prefect server is named. Say: export PREFECT_API_URL="),
        ("http://127.0.0.1:9/api", "error: the Prefect server at http://127.0.0.1:9/api does not answer: "),
    ],
)
def test_without_a_server_nothing_is_started_and_the_missing_setting_is_named(
    tmp_path: Path, url: str, reported: str
) -> None:
    env = {**os.environ, "PREFECT_API_URL": url, "PREFECT_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "deployments", "--plan"]
    done = subprocess.run(words, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 1
    assert done.stderr.startswith(reported)
