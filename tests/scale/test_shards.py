"""One run, split into shards for several workers: a worker and its run are killed, hosts fail, it is cancelled."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import pytest

from lab.process import ServerProcess
from lab.runs import Row, last_table
from lab.servers.prefect.api import RunStatus
from remotejobs.model import State
from tests.cluster import Cluster, await_true
from tests.processes import processes
from tests.scale.conftest import HOSTS, ScaledCluster, databases_on, home_of

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(900)]

DATABASE_HOSTS = ("h00", "h06")
SHARDS, OF_A_SHARD = 4, 3


@dataclass(frozen=True)
class ShardedBackup:
    """The backup of twelve hosts in four shards, of whose two workers one died, and the run's own process as well."""

    run: RunStatus
    backups: list[Row]
    shards: list[Row]


@pytest.fixture(scope="module")
def ended(scaled: ScaledCluster, cluster: Cluster, lead: ServerProcess, one: ServerProcess) -> ShardedBackup:
    victim = scaled.start_shard_worker("victim")
    for host in HOSTS:
        site = home_of(cluster, host) / "site"
        site.mkdir()
        (site / "name").write_text(host)
    save = f'{cluster.command("backup")}; tar -C "$HOME" -cf - site'
    plan = {
        "directory": "backups",
        "min_free_mib": 0,
        "databases": [databases_on(",".join(DATABASE_HOSTS), scaled.databases)],
        "commands": [{"name": "site", "hosts": "all", "command": save, "check": "tar -t", "extension": "tar"}],
    }
    # In groups, as more than fifty hosts would be: one poll for all hosts of a shard.
    run = cluster.start("nightly-backup", plan=plan, poll=5, run={"group": OF_A_SHARD, "shards": {"number": SHARDS}})
    cluster.await_runs("backup", [1] * len(HOSTS))
    victim.end(signal.SIGKILL)
    for pid in processes(run.id):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cluster.go("backup")
    # It was killed: that it is Crashed is not yet its end.
    cluster.await_run(run, lambda now: now.run_count >= 2)
    cluster.await_state(run, "Completed", "Failed", "Cancelled")
    api = cluster.api
    return ShardedBackup(api.flow_run(run), last_table(api, run, "backups"), last_table(api, run, "shards"))


def test_a_backup_in_shards_succeeds_though_one_of_its_workers_and_its_own_process_were_killed(
    ended: ShardedBackup,
) -> None:
    assert ended.run.state and ended.run.state.name == "Completed"
    # Begun once more. A last heartbeat that a busy server received after the death puts that off: the run is called
    # Running again, which Prefect counts as a run, until it is silent.
    assert ended.run.run_count >= 2


def test_every_job_was_started_exactly_once(cluster: Cluster, ended: ShardedBackup) -> None:
    assert cluster.runs_of("backup") == [1] * len(HOSTS)
    for host in HOSTS:
        labels = sorted(record.label for record in cluster.jobs_of(ended.run, host))
        assert labels == (["command site", "pg_dump users"] if host in DATABASE_HOSTS else ["command site"])


def test_all_are_reported_and_their_backups_are_there(cluster: Cluster, ended: ShardedBackup) -> None:
    reported = Counter((row["host"], row["item"], row["state"]) for row in ended.backups)
    wanted = [(host, "command site", "succeeded") for host in HOSTS]
    wanted += [(host, "pg_dump users", "succeeded") for host in DATABASE_HOSTS]
    assert reported == Counter(wanted)
    for row in ended.backups:
        assert (home_of(cluster, row["host"]) / row["path"]).stat().st_size > 0, "the table says where it is"


def test_what_the_dead_worker_had_the_other_one_took_over_and_no_shard_was_begun_anew(
    cluster: Cluster, ended: ShardedBackup
) -> None:
    assert [(row["shard"], row["hosts"], row["not succeeded"]) for row in ended.shards] == [
        (n, OF_A_SHARD, 0) for n in range(1, SHARDS + 1)
    ]
    assert sorted(row["runs"] for row in ended.shards) == [1, 1, 2, 2]
    assert {row["worker"] for row in ended.shards} == {"one"}
    backup_shard = next(each for each in cluster.api.deployments() if each.name == "zz-backup-shard")
    assert len(cluster.api.runs_of(backup_shard)) == SHARDS


def test_what_the_tasks_of_all_workers_did_came_by_redis_into_postgresql(
    scaled: ScaledCluster, ended: ShardedBackup
) -> None:
    polled = f"name LIKE 'poll %({OF_A_SHARD} hosts)' AND state_type = 'COMPLETED'"
    polls = f"SELECT count(*) FROM task_run WHERE {polled}"
    await_true(lambda: int(scaled.prefect.postgres.query(polls, "prefect")) == SHARDS)
    assert not scaled.prefect.database.exists(), "no SQLite"


def test_with_one_failed_host_more_than_may_no_further_shard_begins(
    cluster: Cluster, lead: ServerProcess, one: ServerProcess
) -> None:
    # The worker takes two shards. The hosts of the first one fail once those of the second are at work.
    fail = f"until [ -e {cluster.directory}/fail ]; do sleep 0.2; done; exit 3"
    command = f"case $PWD in */h0[0-2]/*) {fail};; esac; {cluster.command('budget')}"
    options = {"group": 3, "shards": {"number": SHARDS, "max_failed": "10%"}}
    run = cluster.start("run-command", hosts="all", command=command, until={"delay": 5}, run=options)
    reported = " of 12 hosts failed, 1 may"
    await_true(lambda: sum(cluster.runs_of("budget")) == OF_A_SHARD)
    cluster.go("fail")
    cluster.await_log(run, reported)
    cluster.go("budget")
    cluster.await_state(run, "Completed", "Failed", "Crashed")
    rows = last_table(cluster.api, run, "run-command")
    states = Counter(row["state"] for row in rows)
    # What was under way when the second host failed came to its end.
    assert states == {"failed": OF_A_SHARD, "succeeded": OF_A_SHARD, "not started": 2 * OF_A_SHARD}
    assert sum(cluster.runs_of("budget")) == OF_A_SHARD
    said = Counter(row["reason"] for row in rows if row["state"] == "not started")
    assert all(reported in words for words in said), said


def test_cancelling_the_run_ends_the_jobs_of_all_shards_with_proof(
    cluster: Cluster, lead: ServerProcess, one: ServerProcess
) -> None:
    mine = HOSTS[:4]
    run = cluster.start(
        "run-command",
        hosts=":".join(mine),
        command=cluster.command("cancel"),
        run={"group": 2, "shards": {"number": 2}},
    )
    cluster.await_runs("cancel", [int(host in mine) for host in HOSTS])
    cluster.api.cancel(run)
    cluster.await_state(run, "Cancelled", "Crashed", "Failed", "Completed")
    # Where its worker was slow to begin with it, `recover` did the same, and both report.
    ended = {table.description for table in cluster.api.tables(run) if table.key == "cancelled"}
    assert ended == {"None of its 4 jobs runs any more"}
    for host in mine:
        (record,) = cluster.jobs_of(run, host)
        assert (record.state, record.survivors) == (State.KILLED, "")
