"""Updates that go on where an earlier one ended, was stopped, or lost its controller."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_API_URL
from prefect.states import Crashed

from lab.load import Load
from lab.servers.prefect.server import PROJECT
from lab.servers.web.site import WEB, LabSite
from remotejobs.prefect.flows.rolling_update import rolling_update
from tests.awaiting import await_true
from tests.rolling.conftest import nothing_lost, parameters, update
from tests.rolling.events import when_logged
from tests.rolling.site_state import GATED, close_gates, home, open_gates, ready_by, statuses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_host_that_is_still_deployed_to_is_not_put_back_when_the_resumed_update_cannot_go_on(
    site: LabSite, tmp_path: Path
) -> None:
    close_gates(site, "web1")
    with subprocess.Popen(**program(site, tmp_path, deploy=GATED)) as controller:
        await_true((home(site, "web1") / "started").exists)
        controller.kill()
    broken = {"kind": "command", "command": {"remove": "exit 7", "add": ready_by(site)}}
    ended = update(
        site, "2.0", deploy=GATED, resume_from=dead_run(), balancer=broken, floor_of="hosts", revert="nothing"
    )
    open_gates(site, "web1")
    assert ended.table["web1"]["state"] == "failed, stays out of the load balancer"
    assert statuses(site) == ["DRAIN", "UP", "UP", "UP"]


def test_only_a_rolling_update_can_be_resumed(site: LabSite) -> None:
    ended = update(site, "2.0", resume_from="00000000-0000-4000-8000-000000000000")
    assert "there is no flow run" in str(ended.state.message)
    assert statuses(site) == ["UP"] * 4


def test_resuming_goes_on_with_failed_and_not_started_hosts_only(site: LabSite) -> None:
    spoil = 'echo "$VERSION" >>deploys; [ ! -e spoil ] || exit 5; app/deploy.sh "$VERSION"'
    (home(site, "web2") / "spoil").touch()
    first = update(site, "2.0", deploy=spoil, revert="nothing")
    (home(site, "web2") / "spoil").unlink()
    second = update(site, "2.0", deploy=spoil, resume_from=str(first.run_id))
    assert (first.name, second.name) == ("Stopped", "Completed")
    assert first.column("state")[2:] == ["not started"] * 2
    assert second.column("state") == ["updated earlier", *["updated"] * 3]
    assert [(home(site, name) / "deploys").read_text().split() for name in WEB] == [
        ["2.0"],
        ["2.0", "2.0"],
        ["2.0"],
        ["2.0"],
    ]
    third = update(site, "2.0", deploy=spoil, resume_from=str(second.run_id))
    assert third.column("state") == ["updated earlier"] * 4


def test_a_controller_killed_amid_a_batch_is_resumed_and_deploys_nothing_twice(
    site: LabSite, load: Load, tmp_path: Path
) -> None:
    close_gates(site, "web1", "web2")
    with load:
        with subprocess.Popen(**program(site, tmp_path, deploy=GATED, serial=2)) as controller:
            await_true((home(site, "web2") / "started").exists)
            controller.kill()
        with when_attached(site, "web1"), when_attached(site, "web2"):
            ended = update(site, "2.0", deploy=GATED, serial=2, resume_from=dead_run())
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.column("state") == ["updated"] * 4
    assert [(home(site, name) / "deploys").read_text() for name in WEB] == ["2.0\n"] * 4
    assert statuses(site) == ["UP"] * 4


def test_killed_after_each_step_of_a_host_it_goes_on_there_and_deploys_once(
    site: LabSite, load: Load, tmp_path: Path
) -> None:
    count, earlier = 'echo "$VERSION" >>deploys; app/deploy.sh "$VERSION"', ""
    with load:
        for step in ("floor for", "note on", "take out", "drain", "deploy 2.0 on", "health of", "put back"):
            killed_after(f"Task run '{step} web1' - Finished", site, tmp_path, deploy=count, resume_from=earlier)
            earlier = dead_run()
        ended = update(site, "2.0", hosts="web1:web2", deploy=count, resume_from=earlier)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert [(home(site, name) / "deploys").read_text() for name in ("web1", "web2")] == ["2.0\n"] * 2
    assert statuses(site) == ["UP"] * 4


def when_attached(site: LabSite, name: str) -> AbstractContextManager[None]:
    """Let the deployment of `name` go on as soon as its output comes into the log of another update."""
    return when_logged(f"waits in {home(site, name)}", lambda: open_gates(site, name))


def killed_after(words: str, site: LabSite, directory: Path, **plan: Any) -> None:
    """Run the update of two hosts until it says so, and kill it."""
    words_to_run = program(site, directory, hosts="web1:web2", **plan)
    with subprocess.Popen(**words_to_run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as controller:
        assert controller.stdout
        said = []
        for line in controller.stdout:
            said.append(line)
            if words in line:
                break
        else:
            raise AssertionError(f"it ended without saying {words!r}:\n{''.join(said)}")
        controller.kill()


def program(site: LabSite, directory: Path, **plan: Any) -> dict[str, Any]:
    """How to run the update in a process of its own, for Popen."""
    path = directory / "parameters.json"
    path.write_text(parameters(site, "2.0", **plan))
    own = {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": str(PROJECT)}
    words = [sys.executable, "-m", "lab.demos.run_update", str(path)]
    return {"args": words, "cwd": PROJECT, "env": os.environ | own}


def dead_run() -> str:
    """The id of the last update, whose process was killed; it is reported to the server, as a worker does."""
    updates = FlowFilter(name=FlowFilterName(any_=[rolling_update.name]))
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(flow_filter=updates, sort=FlowRunSort.START_TIME_DESC, limit=1)
        client.set_flow_run_state(run.id, Crashed(), force=True)
    return str(run.id)
