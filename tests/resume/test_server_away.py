"""The server is away for five minutes. Whatever stage a run is in, it ends as it would have, and nothing runs twice."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from lab.prefect_api import Run
from lab.process import Server
from lab.runs import deployment
from tasks.access import Access
from tests.resume.conftest import Night

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(1200)]

# The requirement itself, and no event tells that it was long enough.
AWAY = 300.0  # seconds
# A process that cannot tell how its run ended asks again 2, 4, 8 ... 128, 256 s later. For jobs that end then one of
# these comes soon after the absence, and the test does not take minutes longer.
ENDS_AFTER = 200.0
ENDED, GOING_ON = ("backup", "command"), "long"


@pytest.fixture(scope="module")
def runs(night: Night, worker: Server) -> dict[str, Run]:
    """By name: two whose jobs ended meanwhile, one whose jobs went on, one not taken yet, one just taken by a worker.

    The server is back, and no job waits any more.
    """
    # By this name the limit that deployments/resources.yml declares is theirs: they hold slots of it all the while.
    night = replace(night, access=Access(inventory=str(night.ssh.write_inventory(night.directory / "hosts.yml"))))
    runs = {"backup": night.start_backup("backup")}
    for name in ("command", GOING_ON):
        runs[name] = night.start_command(name)
    run_command = deployment(night.api, "run-command")
    # A worker takes runs some ten seconds before they are due.
    runs["due"] = night.api.run(run_command, night.on_all_hosts("due"), after=60)
    runs["taken"] = night.api.run(run_command, night.on_all_hosts("taken"))
    night.await_state(runs["taken"], "Pending", "Submitting")
    night.prefect.stop()
    gone = time.monotonic()
    time.sleep(ENDS_AFTER)
    for name in ENDED:
        night.go(name)
    time.sleep(gone + AWAY - time.monotonic())
    night.prefect.start()
    night.prefect.await_ready()
    for name in runs:
        night.go(name)
    # It comes every five minutes, and finds those of whose taking the server told nobody before it went away.
    night.api.run(deployment(night.api, "rescue-neglected"))
    return runs


@pytest.mark.parametrize("name", [*ENDED, GOING_ON, "due", "taken"])
def test_it_ends_well_at_its_first_try_and_its_jobs_ran_once(night: Night, runs: dict[str, Run], name: str) -> None:
    ended = night.await_state(runs[name], "Completed", "Failed", "Crashed", "Cancelled")
    assert ended.state
    assert (ended.state.name, ended.run_count) == ("Completed", 1), ended.state.message
    assert night.runs_of(name) == ([1, 0, 0] if name == "backup" else [1, 1, 1])


@pytest.mark.parametrize("name", [*ENDED, GOING_ON])
def test_one_that_was_under_way_was_never_taken_for_dead(night: Night, runs: dict[str, Run], name: str) -> None:
    """Nobody heard of it for five minutes; it is looked for all the same before anybody goes on with it."""
    night.await_state(runs[name], "Completed")
    assert "AwaitingRetry" not in night.api.states(runs[name])
