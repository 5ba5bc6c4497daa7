"""What happens to runs while their worker lives: it is cancelled, killed alone, or the server goes away."""

from __future__ import annotations

import signal
import sqlite3

import httpx
import pytest

from lab.prefect_api import Run
from lab.process import Server
from lab.runs import start
from remotejobs.locks import Holder
from remotejobs.model import State
from tasks.migration_steps import migration_on
from tests.resume.conftest import Night, await_true, send
from tests.run_processes import processes

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]


def start_migration(night: Night, name: str, **others: object) -> Run:
    """A migration of db1 and then db2, whose step migrate is under way on the first host."""
    commands = {
        "migrate": night.command(name),
        "rollback": f"echo x >>{name}.rollbacks",
        "verify_rollback": f"[ -e {name}.rollbacks ]",
    }
    given = {"access": night.access.model_dump(), "hosts": "db1:db2", "commands": commands, "order": "one_by_one"}
    run = start(night.api, "migration", {**given, "poll": 1, **others})
    await_true(lambda: sum(night.runs_of(name)) == 1)
    return run


def holder_of(night: Night, host: str) -> Holder | None:
    return migration_on(night.access, host).lock.look()


def test_a_run_whose_process_was_killed_goes_on_by_itself_however_often_its_death_is_reported(
    night: Night, worker: Server
) -> None:
    run = night.start_command("killed")
    send(signal.SIGKILL, processes(run.id))
    night.await_state(run, "Crashed")
    # Its new process is past the moment at which Prefect's engine reads its state, and would send no heartbeat for it.
    await_true(lambda: sum("attached to job" in line for line in night.api.log(run)) == 3)
    night.api.crash(run)
    living = processes(run.id)
    assert living
    night.await_state(run, "Running")
    assert processes(run.id) == living, "the process that lives goes on"
    night.go("killed")
    night.await_state(run, "Completed")
    assert night.runs_of("killed") == [1, 1, 1]


def test_a_cancelled_migration_is_ended_with_proof_and_rolled_back_by_a_retry(night: Night, worker: Server) -> None:
    run = start_migration(night, "called-off")
    night.api.cancel(run)
    night.await_state(run, "Cancelled")
    (record,) = night.jobs_of(run, "db1")
    assert (record.label, record.state, record.survivors) == ("migrate", State.KILLED, "")
    told = [table.description for table in night.api.tables(run) if table.key == "cancelled"]
    in_between = "The data on db1 are in between, and the hosts stay locked"
    assert told == [f"{in_between}. Retry the run: it rolls back every host where migrate began"]
    assert holder_of(night, "db1")
    night.api.retry(run)
    night.await_state(run, "RolledBack")
    assert (night.ssh.host("db1").home / "called-off.rollbacks").read_text() == "x\n"
    assert (night.runs_of("called-off"), holder_of(night, "db1")) == ([1, 0, 0], None)


def test_a_cancelled_migration_goes_on_where_that_was_asked_for_and_a_retry_attaches(
    night: Night, worker: Server
) -> None:
    run = start_migration(night, "left", on_cancel="leave", hosts="db2")
    night.api.cancel(run)
    night.await_state(run, "Cancelled")
    (record,) = night.jobs_of(run, "db2")
    assert record.state is State.RUNNING
    night.go("left")
    night.api.retry(run)
    night.await_state(run, "Completed")
    assert night.runs_of("left")[1] == 1


def test_a_server_that_is_restarted_fails_no_run_and_resumes_none_that_lives(night: Night, worker: Server) -> None:
    run = night.start_backup("restart")
    night.prefect.stop()
    night.prefect.start()
    night.prefect.await_ready()
    night.go("restart")
    ended = night.await_state(run, "Completed", "Failed", "Crashed")
    assert ended.state
    assert (ended.state.name, ended.run_count) == ("Completed", 1)
    assert night.runs_of("restart")[0] == 1


def test_a_run_that_ends_while_the_database_is_locked_is_told_when_it_is_free(night: Night, worker: Server) -> None:
    run = night.start_command("locked")
    lock = sqlite3.connect(night.prefect.database, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        night.go("locked")
        await_true(lambda: all(job.finished for host in ("db1", "db2", "files1") for job in night.jobs_of(run, host)))
        refuses(night)
    finally:
        lock.rollback()
        lock.close()
    ended = night.await_state(run, "Completed", "Failed", "Crashed")
    assert ended.state
    assert (ended.state.name, ended.run_count) == ("Completed", 1)
    assert night.runs_of("locked") == [1, 1, 1]


def refuses(night: Night) -> None:
    """The server answers no write, or says that it cannot."""
    try:
        answer = httpx.post(f"{night.prefect.api_url}/flows/", json={"name": "nothing"}, timeout=5)
    except httpx.TimeoutException:
        return
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
