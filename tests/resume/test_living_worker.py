"""What happens to runs while their worker lives: a process dies alone, a run is cancelled, the database is locked."""

from __future__ import annotations

import signal
import sqlite3
from dataclasses import dataclass

import httpx
import pytest

from lab.process import ServerProcess
from lab.servers.prefect.api import RunStatus
from remotejobs.jobs.locks import Holder
from remotejobs.model import State
from remotejobs.prefect.tasks.migration.steps import migration_on
from tests.cluster import Cluster, await_true
from tests.processes import processes
from tests.resume.conftest import HOSTS, POLL, send, start_command, start_own_flow

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Runs:
    """All were under way. The process of the first was killed, the other two were cancelled."""

    killed: RunStatus
    """One of the README's program: a flow of a user's own."""
    called_off: RunStatus
    """A migration of db1 and then db2, when its step migrate ran on the first host."""
    left: RunStatus
    """One of files1, whose jobs are to outlive the cancelling."""


@pytest.fixture(scope="module")
def runs(cluster: Cluster, survivor: ServerProcess) -> Runs:
    killed = start_own_flow(cluster, "killed")
    called_off = start_migration(cluster, "called-off", hosts="db1:db2")
    left = start_migration(cluster, "left", hosts="files1", on_cancel="leave")
    cluster.await_runs("killed", [1, 1, 1])
    cluster.await_runs("called-off", [1, 0, 0])
    cluster.await_runs("left", [0, 0, 1])
    send(signal.SIGKILL, processes(killed.id))
    for run in (called_off, left):
        cluster.api.cancel(run)
    return Runs(killed, called_off, left)


def start_migration(cluster: Cluster, name: str, **others: object) -> RunStatus:
    commands = {
        "migrate": cluster.command(name),
        "rollback": f"echo x >>{name}.rollbacks",
        "verify_rollback": f"[ -e {name}.rollbacks ]",
    }
    given = {"commands": commands, "order": "one_by_one", "approval": {"needed": False}, "poll": POLL}
    return cluster.start("migration", **given, **others)


def holder_of(cluster: Cluster, host: str) -> Holder | None:
    return migration_on(cluster.access, host).lock.holder()


def test_a_cancelled_migration_is_ended_with_proof_and_rolled_back_by_a_retry(cluster: Cluster, runs: Runs) -> None:
    run = runs.called_off
    cluster.await_state(run, "Cancelled")
    (record,) = cluster.jobs_of(run, "db1")
    assert (record.label, record.state, record.survivors) == ("migrate", State.KILLED, "")
    # Where its worker was slow to begin with it, `recover` did the same, and both report.
    reported = {table.description for table in cluster.api.tables(run) if table.key == "cancelled"}
    in_between = "The data on db1 may be changed in part, and the hosts stay locked"
    assert reported == {f"{in_between}. Retry the run: it rolls back every host where migrate began"}
    assert holder_of(cluster, "db1")
    cluster.api.retry(run)
    cluster.await_state(run, "RolledBack")
    assert (cluster.ssh.host("db1").home / "called-off.rollbacks").read_text() == "x\n"
    assert (cluster.runs_of("called-off"), holder_of(cluster, "db1")) == ([1, 0, 0], None)


def test_a_cancelled_migration_goes_on_where_that_was_asked_for_and_a_retry_attaches(
    cluster: Cluster, runs: Runs
) -> None:
    cluster.await_state(runs.left, "Cancelled")
    (record,) = cluster.jobs_of(runs.left, "files1")
    assert record.state is State.RUNNING
    cluster.go("left")
    cluster.api.retry(runs.left)
    cluster.await_state(runs.left, "Completed")
    assert cluster.runs_of("left") == [0, 0, 1]


def test_a_run_whose_process_was_killed_goes_on_by_itself_however_often_its_death_is_reported(
    cluster: Cluster, runs: Runs
) -> None:
    # Its new process is past the moment at which Prefect's engine reads its state, and would send no heartbeat for it.
    cluster.await_log(runs.killed, "attached to job", times=3)
    assert "Crashed" in cluster.api.states(runs.killed)
    living = processes(runs.killed.id)
    assert living
    cluster.api.crash(runs.killed)
    cluster.await_state(runs.killed, "Running")
    assert processes(runs.killed.id) == living, "the process that lives goes on"
    cluster.go("killed")
    cluster.await_state(runs.killed, "Completed")
    assert cluster.runs_of("killed") == [1, 1, 1]


def test_a_run_that_ends_while_the_database_is_locked_is_reported_when_it_is_free(
    cluster: Cluster, survivor: ServerProcess
) -> None:
    run = start_command(cluster, "locked")
    cluster.await_runs("locked", [1, 1, 1])
    lock = sqlite3.connect(cluster.prefect.database, isolation_level=None, timeout=60)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        cluster.go("locked")
        await_true(lambda: all(job.finished for host in HOSTS for job in cluster.jobs_of(run, host)))
        refuses(cluster)
    finally:
        lock.rollback()
        lock.close()
    ended = cluster.await_state(run, "Completed", "Failed", "Crashed")
    assert ended.state
    assert (ended.state.name, ended.run_count) == ("Completed", 1)
    assert cluster.runs_of("locked") == [1, 1, 1]


def refuses(cluster: Cluster) -> None:
    """The server answers no write, or says that it cannot."""
    try:
        answer = httpx.post(f"{cluster.prefect.api_url}/flows/", json={"name": "nothing"}, timeout=5)
    except httpx.TimeoutException:
        return
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
