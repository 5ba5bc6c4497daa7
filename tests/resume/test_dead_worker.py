"""A worker is killed, and the processes of its runs killed, frozen, or left behind. Another worker recovers all."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.job_files import fields_of
from lab.process import ServerProcess
from lab.runs import last_table
from lab.servers.prefect.api import RunStatus
from lab.servers.web.site import WEB, LabSite
from remotejobs.model import Record, State
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from tests.cluster import Cluster, await_true
from tests.processes import processes
from tests.resume.conftest import HOSTS, paused, send, start_backup, start_command, start_own_flow
from tests.rolling.site_state import GATED, home

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Victims:
    """Runs that the dead worker had."""

    dead: RunStatus
    """One of the README's program: a flow of a user's own. The supervisor of its job on db2 is dead too."""
    alone: RunStatus
    frozen: RunStatus
    frozen_pids: list[int]
    orphan: RunStatus
    """Its process lives. It was cancelled."""
    cut: RunStatus
    """Its process lives. It was set to Cancelled at once, as only the API lets one."""
    update: RunStatus
    """Its process is dead, and so is the application on web2, one of the two hosts that it had. It was cancelled."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with LabSite(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def victims(cluster: Cluster, site: LabSite, survivor: ServerProcess) -> Iterator[Victims]:
    with paused(survivor):
        worker = cluster.prefect.start_worker("victim")
        dead = start_own_flow(cluster, "dead")
        cluster.await_runs("dead", [1, 1, 1])
        frozen, orphan, cut = (started(cluster, name) for name in ("frozen", "orphan", "cut"))
        alone = start_backup(cluster, "alone")
        cluster.await_runs("alone", [1, 0, 0])
        access = {"inventory": str(site.inventory)}
        plan = site.update("2.0", deploy=f"touch gate; {GATED}", serial=2)
        update = cluster.start("rolling-update", access=access, hosts="web", update=plan)
        await_true(lambda: all((home(site, name) / "started").exists() for name in WEB[:2]))
        assert [site.haproxy.status(name) for name in WEB[:2]] == ["DRAIN", "DRAIN"]
        frozen_pids = processes(frozen.id)
        send(signal.SIGSTOP, frozen_pids)
        send(signal.SIGKILL, [worker.pid, *(pid for run in (dead, alone, update) for pid in processes(run.id))])
        site.applications["web2"].die()
        send(signal.SIGKILL, [supervisor_of(cluster, dead, "db2")])
    for run in (orphan, update):
        cluster.api.cancel(run)
    cluster.api.set_cancelled(cut)
    yield Victims(dead, alone, frozen, frozen_pids, orphan, cut, update)
    send(signal.SIGKILL, frozen_pids)


def started(cluster: Cluster, name: str) -> RunStatus:
    """A run whose jobs are at work. One after the other: processes that all start at once keep SQLite locked."""
    run = start_command(cluster, name)
    cluster.await_runs(name, [1, 1, 1])
    return run


def supervisor_of(cluster: Cluster, run: RunStatus, host: str) -> int:
    (record,) = cluster.jobs_of(run, host)
    return int(fields_of(record.results_dir)["supervisor"].split()[0])


def await_second_try(cluster: Cluster, run: RunStatus) -> None:
    cluster.await_run(run, lambda now: now.run_count >= 2)


def complete(cluster: Cluster, run: RunStatus, name: str) -> None:
    """Let the jobs of the run end, and see it end well."""
    cluster.go(name)
    ended = cluster.await_state(run, "Completed", "Failed", "Cancelled")
    assert ended.state and ended.state.name == "Completed", ended.state


def test_a_run_of_a_users_own_flow_whose_worker_process_and_supervisor_were_killed_ends_on_another_worker(
    cluster: Cluster, victims: Victims
) -> None:
    await_second_try(cluster, victims.dead)
    assert f"recover {cluster.api.flow_run(victims.dead).name}" in {
        run.name for run in cluster.recoveries_of(victims.dead)
    }
    complete(cluster, victims.dead, "dead")
    assert cluster.runs_of("dead") == [1, 1, 1]
    assert [cluster.jobs_of(victims.dead, host)[0].state for host in HOSTS] == [State.SUCCEEDED] * 3


def test_one_that_may_not_overlap_itself_is_not_kept_out_by_the_place_that_it_held_when_it_died(
    cluster: Cluster, victims: Victims
) -> None:
    await_second_try(cluster, victims.alone)
    complete(cluster, victims.alone, "alone")
    assert cluster.runs_of("alone")[0] == 1


def test_a_frozen_process_that_wakes_beside_its_successor_ends_itself_and_nothing_runs_twice(
    cluster: Cluster, victims: Victims
) -> None:
    await_second_try(cluster, victims.frozen)
    send(signal.SIGCONT, victims.frozen_pids)
    await_true(lambda: not set(victims.frozen_pids) & set(processes(victims.frozen.id)))
    assert processes(victims.frozen.id), "its successor goes on"
    complete(cluster, victims.frozen, "frozen")
    assert cluster.runs_of("frozen") == [1, 1, 1]


def test_a_run_cancelled_after_its_worker_died_shows_as_cancelled_once_its_jobs_are_proven_dead(
    cluster: Cluster, victims: Victims
) -> None:
    ended = cluster.await_state(victims.orphan, "Completed", "Failed", "Cancelled", "Crashed")
    assert ended.state
    assert (ended.state.name, ended.state.message) == ("Cancelled", "None of its 3 jobs runs any more")
    assert processes(victims.orphan.id) == []
    for host in HOSTS:
        (record,) = cluster.jobs_of(victims.orphan, host)
        assert (record.state, record.survivors) == (State.KILLED, "")


def test_a_run_set_to_cancelled_without_a_worker_is_ended_with_its_jobs_and_stays_cancelled(
    cluster: Cluster, victims: Victims
) -> None:
    run = victims.cut
    cluster.await_run(run, lambda now: now.state is not None and "jobs" in str(now.state.message))
    for host in HOSTS:
        (record,) = cluster.jobs_of(run, host)
        assert (record.state, record.survivors) == (State.KILLED, "")
    assert processes(run.id) == []
    assert cluster.api.states(run)[-2:] == ["Cancelled", "Cancelled"]


def test_of_a_cancelled_update_healthy_hosts_are_back_and_the_others_named_when_it_shows_as_cancelled(
    cluster: Cluster, site: LabSite, victims: Victims
) -> None:
    run = victims.update
    ended = cluster.await_state(run, "Cancelled", "Completed", "Failed", "Crashed")
    assert ended.state
    assert ended.state.name == "Cancelled"
    assert str(ended.state.message).startswith("NOT PUT RIGHT: web2; its table `cancelled` says why. ")
    assert f"`make repair RUN={run.id}` does it later" in str(ended.state.message)
    for name in WEB[:2]:
        deployed = [job for job in jobs_of_update(site, run, name) if job.label.startswith("deploy")]
        assert [(job.state, job.survivors) for job in deployed] == [(State.KILLED, "")]
    assert [site.haproxy.status(name) for name in WEB if name != "web2"] == ["UP"] * 3
    reported = {row["host"]: row["reason"] for row in last_table(cluster.api, run, "cancelled")}
    assert reported["web1"] == "it was put back, with version 1.0"
    assert "web2: is not healthy and stays out of the load balancer" in reported["web2"]
    assert reported["web3"] == reported["web4"] == "the update never came to it"


def jobs_of_update(site: LabSite, run: RunStatus, host: str) -> list[Record]:
    return [each for each in jobs_on(Access(inventory=str(site.inventory)), host).list() if str(run.id) in each.jid]
