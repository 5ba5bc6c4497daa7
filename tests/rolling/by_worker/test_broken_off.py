"""Updates that are cancelled, or whose controller dies, run by a worker: no host stays out unreported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from lab.demos.site_stage import SiteStage
from lab.runs import await_end, await_state, last_table, start
from lab.servers.prefect.api import RunStatus
from lab.servers.prefect.server import PROJECT
from lab.servers.web.site import WEB
from remotejobs.model import State
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from tests.awaiting import await_true
from tests.processes import processes
from tests.rolling.site_state import GATED, close_gates, home, open_gates

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# With the programs of this very Python.
REPAIR = ("make", "--silent", "repair", f"BIN={Path(sys.executable).parent}")


@pytest.fixture
def started(stage: SiteStage) -> RunStatus:
    """An update whose first host is out of the load balancer, in the middle of its deployment."""
    for name in WEB:
        for mark in ("started", "go", "deploys"):
            (home(stage.site, name) / mark).unlink(missing_ok=True)
    close_gates(stage.site, *WEB)
    run = start(stage.api, "rolling-update", stage.parameters("2.0", deploy=GATED))
    await_true((home(stage.site, "web1") / "started").exists)
    assert stage.site.haproxy.status("web1") == "DRAIN"
    return run


def kill_controller(run: RunStatus) -> None:
    """SIGKILL to the processes of a flow run, and to no other."""
    for pid in processes(run.id):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def running_jobs(stage: SiteStage) -> list[str]:
    access = Access(inventory=str(stage.site.inventory))
    return [record.jid for name in WEB for record in jobs_on(access, name).list() if record.state is State.RUNNING]


def test_a_cancelled_update_ends_its_job_and_puts_the_healthy_host_back(stage: SiteStage, started: RunStatus) -> None:
    stage.api.cancel(started)
    ended = await_end(stage.api, started)
    assert ended.state
    assert ended.state.type == "CANCELLED"
    await_true(lambda: stage.site.haproxy.status("web1") == "UP")
    assert running_jobs(stage) == []
    assert stage.site.applications["web1"].deployed == "1.0"


def test_a_crashed_update_that_will_not_be_resumed_is_put_right_by_the_repair(
    stage: SiteStage, started: RunStatus
) -> None:
    early = await_end(stage.api, start(stage.api, "rolling-repair", {"run": str(started.id)}))
    assert early.state
    assert "may still change hosts" in str(early.state.message)
    kill_controller(started)
    await_state(stage.api, started, lambda run: run.state is not None and run.state.type == "CRASHED")
    assert stage.site.haproxy.status("web1") == "DRAIN"
    stage.site.applications["web1"].die()
    sick = make_repair(stage, started)
    assert sick.returncode
    assert "repair on web1: is not healthy and stays out of the load balancer" in sick.stdout
    stage.site.applications["web1"].start()
    done = make_repair(stage, started)
    assert done.stdout.splitlines()[-1].startswith("Completed")
    assert done.returncode == 0
    assert [stage.site.haproxy.status(name) for name in WEB] == ["UP"] * 4
    assert running_jobs(stage) == []


def make_repair(stage: SiteStage, run: RunStatus) -> subprocess.CompletedProcess[str]:
    """Run `make repair` as a person does."""
    command = [*REPAIR, f"RUN={run.id}"]
    env = dict(stage.prefect.environment)
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)


def test_without_a_run_or_a_server_make_repair_says_what_is_missing(tmp_path: Path) -> None:
    lonely = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    for run, wanted in (("", "make repair RUN=ID"), ("x", "export PREFECT_API_URL")):
        command = [*REPAIR, f"RUN={run}"]
        env = lonely | {"PREFECT_HOME": str(tmp_path)}
        said = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
        assert wanted in said.stderr


def test_a_crashed_update_that_is_retried_attaches_and_deploys_nothing_twice(
    stage: SiteStage, started: RunStatus
) -> None:
    kill_controller(started)
    await_state(stage.api, started, lambda run: run.state is not None and run.state.type == "CRASHED")
    open_gates(stage.site, *WEB)
    ended = retried_to_its_end(stage, started)
    assert ended.state
    assert ended.state.type == "COMPLETED"
    outcomes = [row["state"] for row in last_table(stage.api, started, "rolling-update")]
    assert outcomes == ["updated earlier", *["updated"] * 3]
    assert [(home(stage.site, name) / "deploys").read_text() for name in WEB] == ["2.0\n"] * 4
    assert [stage.site.haproxy.status(name) for name in WEB] == ["UP"] * 4


def retried_to_its_end(stage: SiteStage, run: RunStatus) -> RunStatus:
    """Retry a crashed run. Its worker may report the first crash once more, over the retry: then retry again."""
    for _ in range(3):
        await_true(lambda: not processes(run.id))
        stage.api.retry(run)
        if (ended := await_end(stage.api, run)).state and ended.state.type != "CRASHED":
            return ended
    return run
