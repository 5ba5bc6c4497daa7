"""The server goes away while runs are at every stage that a run has, and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from lab.runs import deployment
from lab.servers.prefect.api import RunStatus
from remotejobs.prefect.tasks.access import Access
from tests.awaiting import await_true
from tests.cluster import WITHIN, Cluster
from tests.resume.conftest import command_on_all, start_backup, start_command

ENDED, GOING_ON, NOT_BEGUN = ("backup", "command"), "long", ("due", "taken")
NAMES = (*ENDED, GOING_ON, *NOT_BEGUN)


def runs_through_absence(
    cluster: Cluster, *, away: float, jobs_end_after: float, late: float, meanwhile: Callable[[], None] = lambda: None
) -> dict[str, RunStatus]:
    """By name: two whose jobs ended meanwhile, one whose jobs went on, one not taken yet, one just taken by a worker.

    The server is back after `away` seconds, and no job waits any more. After `late` a run that was taken is recovered.
    """
    # By this name the limit that deployments/resources.yml declares is theirs: they hold slots of it all the while.
    access = Access(inventory=str(cluster.ssh.write_inventory(cluster.directory / "hosts.yml")))
    cluster = replace(cluster, access=access)
    runs = {"backup": start_backup(cluster, "backup")}
    for name in ("command", GOING_ON):
        runs[name] = start_command(cluster, name)
    for name in ("command", GOING_ON):
        cluster.await_runs(name, [1, 1, 1])
    cluster.await_runs("backup", [1, 0, 0])
    run_command, stuck = (deployment(cluster.api, name) for name in ("run-command", "zz-recover-stuck-runs"))
    given = {"access": access.model_dump()}
    # A worker takes runs some ten seconds before they are due.
    runs["due"] = cluster.api.run(run_command, given | command_on_all(cluster, "due"), after=45)
    # It comes every five minutes, and finds runs that a worker took without an event before the server went away.
    cluster.api.run(stuck, after=late)
    runs["taken"] = cluster.api.run(run_command, given | command_on_all(cluster, "taken"))
    await_taken(cluster, runs["taken"])
    cluster.prefect.stop()
    gone = time.monotonic()
    # The requirement itself, and no event says that it was long enough.
    time.sleep(jobs_end_after)
    for name in ENDED:
        cluster.go(name)
    meanwhile()
    time.sleep(max(0.0, gone + away - time.monotonic()))
    cluster.prefect.start()
    cluster.prefect.await_ready()
    for name in runs:
        cluster.go(name)
    return runs


def await_taken(cluster: Cluster, run: RunStatus) -> None:
    """Return while a worker has the run and its process does not have it yet: for a second or two."""
    await_true(lambda: cluster.api.states(run)[-1] != "Scheduled", within=WITHIN)
    assert cluster.api.states(run)[-1] in ("Pending", "Submitting"), "it was seen too late: it is under way"


def assert_ended_well_at_its_first_try(cluster: Cluster, run: RunStatus, name: str) -> None:
    # Before a process begins its run it does not wait for a server: Prefect's own part of it ends, the run shows as
    # Crashed, and `recover` lets it begin. One that has started must not crash.
    crash = () if name in NOT_BEGUN else ("Crashed",)
    ended = cluster.await_state(run, "Completed", "Failed", "Cancelled", *crash)
    assert ended.state
    assert (ended.state.name, ended.run_count) == ("Completed", 1), ended.state.message
    assert cluster.runs_of(name) == ([1, 0, 0] if name == "backup" else [1, 1, 1])
