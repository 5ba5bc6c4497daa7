"""One run, split into shards for several workers: a worker and its run are killed, hosts fail, it is cancelled."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import pytest

from lab.prefect_api import Run
from lab.process import Server
from lab.runs import Row, last_table
from remotejobs.model import State
from tests.run_processes import processes
from tests.scale.conftest import HOSTS, Plant, await_true

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]

DATABASE_HOSTS = ("h00", "h30")


@dataclass(frozen=True)
class Ended:
    """The backup of sixty hosts in four shards, of whose two workers one died, and the run's own process as well."""

    run: Run
    backups: list[Row]
    shards: list[Row]


@pytest.fixture(scope="module")
def ended(plant: Plant, lead: Server, one: Server) -> Ended:
    victim = plant.start_shard_worker("victim")
    for host in plant.ssh.hosts:
        (host.home / "site").mkdir()
        (host.home / "site" / "name").write_text(host.name)
    save = f'{plant.command("backup")}; tar -C "$HOME" -cf - site'
    server = {"server": "127.0.0.1", "port": plant.postgres.port, "user": plant.postgres.user}
    database = {"name": "users", "database": "users", "passfile": str(plant.postgres.passfile), **server}
    plan = {
        "directory": "backups",
        "min_free_mib": 0,
        "databases": [{**database, "hosts": ",".join(DATABASE_HOSTS)}],
        "commands": [{"name": "site", "hosts": "all", "command": save, "check": "tar -t", "extension": "tar"}],
    }
    run = plant.start("nightly-backup", plan=plan, poll=15, shards={"number": 4})
    await_true(lambda: plant.runs_of("backup") == [1] * len(HOSTS))
    victim.end(signal.SIGKILL)
    for pid in processes(run.id):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    plant.go("backup")
    # It was killed: that it is Crashed is not yet its end.
    plant.await_run(run, lambda now: now.run_count == 2)
    plant.await_state(run, "Completed", "Failed", "Cancelled")
    return Ended(plant.api.flow_run(run), last_table(plant.api, run, "backups"), last_table(plant.api, run, "shards"))


def test_a_backup_in_shards_succeeds_though_one_of_its_workers_and_its_own_process_were_killed(ended: Ended) -> None:
    assert ended.run.state
    assert (ended.run.state.name, ended.run.run_count) == ("Completed", 2)


def test_every_job_was_started_exactly_once(plant: Plant, ended: Ended) -> None:
    assert plant.runs_of("backup") == [1] * len(HOSTS)
    for host in HOSTS:
        labels = sorted(record.label for record in plant.jobs_of(ended.run, host))
        assert labels == (["command site", "pg_dump users"] if host in DATABASE_HOSTS else ["command site"])


def test_all_are_reported_and_their_backups_are_there(plant: Plant, ended: Ended) -> None:
    told = Counter((row["host"], row["item"], row["state"]) for row in ended.backups)
    wanted = [(host, "command site", "succeeded") for host in HOSTS]
    wanted += [(host, "pg_dump users", "succeeded") for host in DATABASE_HOSTS]
    assert told == Counter(wanted)
    for row in ended.backups:
        home = plant.ssh.host(row["host"]).home
        assert (home / row["path"]).stat().st_size > 0, "the table says where it is"


def test_what_the_dead_worker_had_the_other_one_took_over_and_no_shard_was_begun_anew(
    plant: Plant, ended: Ended
) -> None:
    assert [(row["shard"], row["hosts"], row["not succeeded"]) for row in ended.shards] == [
        (n, 15, 0) for n in (1, 2, 3, 4)
    ]
    assert sorted(row["runs"] for row in ended.shards) == [1, 1, 2, 2]
    assert {row["worker"] for row in ended.shards} == {"one"}
    backup_shard = next(each for each in plant.api.deployments() if each.name == "backup-shard")
    assert len(plant.api.runs_of(backup_shard)) == 4


def test_what_the_tasks_of_all_workers_did_came_by_redis_into_postgresql(plant: Plant, ended: Ended) -> None:
    # Sixty hosts are too many for a task run each, in however many shards: each of the four polled its hosts by one.
    polls = "SELECT count(*) FROM task_run WHERE name LIKE 'poll %(15 hosts)' AND state_type = 'COMPLETED'"
    await_true(lambda: int(plant.prefect.postgres.query(polls, "prefect")) == 4)
    assert not plant.prefect.database.exists(), "no SQLite"


def test_with_one_failed_host_more_than_may_no_further_shard_begins(plant: Plant, lead: Server, one: Server) -> None:
    command = f"case $PWD in */h0*) exit 3;; esac; {plant.command('budget')}"
    shards = {"number": 6, "max_failed": "10%"}
    run = plant.start("run-command", hosts="all", command=command, until={"delay": 2}, shards=shards, group=5)
    told = " of 60 hosts failed, 6 may"
    await_true(lambda: sum(plant.runs_of("budget")) >= 10)
    plant.await_log(run, told)
    plant.go("budget")
    plant.await_state(run, "Completed", "Failed", "Crashed")
    rows = last_table(plant.api, run, "run-command")
    states = Counter(row["state"] for row in rows)
    # What was under way when the seventh host failed came to its end.
    assert (states["failed"], states["succeeded"]) == (10, sum(plant.runs_of("budget")))
    assert states["not begun"] >= 30
    said = Counter(row["said"] for row in rows if row["state"] == "not begun")
    assert all(told in words for words in said), said


def test_cancelling_the_run_ends_the_jobs_of_all_shards_with_proof(plant: Plant, lead: Server, one: Server) -> None:
    run = plant.start("run-command", hosts="h1*", command=plant.command("cancel"), shards={"number": 2}, group=3)
    await_true(lambda: sum(plant.runs_of("cancel")) == 10)
    plant.api.cancel(run)
    plant.await_state(run, "Cancelled", "Crashed", "Failed", "Completed")
    ended = [table.description for table in plant.api.tables(run) if table.key == "cancelled"]
    assert ended == ["None of its 10 jobs runs any more"]
    for host in HOSTS[10:20]:
        (record,) = plant.jobs_of(run, host)
        assert (record.state, record.survivors) == (State.KILLED, "")
