"""Package upgrades by the real apt and dpkg; each host has a root of its own."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.schemas.objects import State as RunState
from pydantic import ValidationError

from flows.upgrade import upgrade
from lab.packages import AptRoot, Repository
from lab.sshd import SshLab
from remotejobs.model import State
from remotejobs.upgrade import HostUpgrade, Upgrade, install_job, prepare_job
from remotejobs.waiting import wait_until_ended
from tasks.access import Access
from tasks.cancel import kill_jobs_of
from tasks.connections import connections, jobs_on
from tasks.errors import HostsFailed
from tests.artifacts import tables_of
from tests.awaiting import await_true
from tests.task_log import TaskLog

HOSTS = ("web1", "web2", "web3")


@dataclass(frozen=True)
class Fleet:
    """Hosts, each with a root that has `tool` 1.0 installed and knows of 2.0."""

    access: Access
    repository: Repository
    roots: dict[str, AptRoot]

    def upgrade(self, **plan: Any) -> RunState[list[HostUpgrade]]:
        wanted = Upgrade(**{"manager": "apt", "serial": "100%", **plan})
        state: RunState[list[HostUpgrade]] = upgrade(self.access, "web*", wanted, 1, return_state=True)
        return state

    @property
    def installed(self) -> list[str]:
        return [root.installed("tool") for root in self.roots.values()]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    repository = Repository(tmp_path / "repository")
    old = repository.add("tool", "1.0")
    with ExitStack() as stack:
        hosts, roots = {}, {}
        for name in HOSTS:
            roots[name] = AptRoot(tmp_path / name, repository)
            roots[name].install(old)
            home = tmp_path / name / "home"
            home.mkdir()
            words = [f'"{key}={value}"' for key, value in {"HOME": home, **roots[name].environment}.items()]
            lab = SshLab(tmp_path / "lab" / name, [name], extra_config=[f"SetEnv {' '.join(words)}"])
            hosts[name] = stack.enter_context(lab).variables(name)
        inventory = tmp_path / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        yield Fleet(Access(inventory=str(inventory)), repository, roots)
        connections().close()


@contextmanager
def held(lock: Path) -> Iterator[Callable[[], None]]:
    """The lock as another apt holds it; gives what lets it go."""
    with lock.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield lambda: fcntl.lockf(file, fcntl.LOCK_UN)


def test_every_host_is_upgraded_in_batches_and_its_report_names_the_packages(fleet: Fleet) -> None:
    fleet.repository.add("tool", "2.0")
    state = fleet.upgrade(serial=[1, 2])
    assert fleet.installed == ["install ok installed 2.0"] * 3
    assert [str(change) for report in state.result() for change in report.changes] == ["tool 1.0 → 2.0"] * 3
    outcomes = [[row["outcome"] for row in table] for table in tables_of(state.state_details.flow_run_id)]
    assert outcomes == [["upgraded", "not started", "not started"], ["upgraded"] * 3]


def test_where_nothing_is_new_nothing_is_changed(fleet: Fleet) -> None:
    assert [report.outcome for report in fleet.upgrade().result()] == ["nothing to do"] * 3


def test_only_the_packages_that_are_named_are_upgraded_and_only_where_they_are_installed(fleet: Fleet) -> None:
    fleet.roots["web1"].install(fleet.repository.add("other", "1.0"))
    fleet.repository.add("other", "2.0")
    fleet.repository.add("tool", "2.0")
    reports = fleet.upgrade(packages=["other"]).result()
    assert [report.outcome for report in reports] == ["upgraded", "nothing to do", "nothing to do"]
    assert fleet.roots["web1"].installed("other") == "install ok installed 2.0"
    assert fleet.installed == ["install ok installed 1.0"] * 3


def test_a_lock_that_another_apt_holds_is_waited_for(fleet: Fleet, task_log: TaskLog) -> None:
    fleet.repository.add("tool", "2.0")
    with held(fleet.roots["web2"].lock) as let_go:
        task_log.when("Waiting for cache lock", let_go)
        state = fleet.upgrade()
    assert task_log.having("Waiting for cache lock")
    assert [report.outcome for report in state.result()] == ["upgraded"] * 3


def test_a_lock_that_is_never_released_fails_the_host(fleet: Fleet) -> None:
    with (
        held(fleet.roots["web2"].lock),
        pytest.raises(HostsFailed, match="(?s)web2: .*Unable to acquire the dpkg frontend lock"),
    ):
        fleet.upgrade(lock_timeout=1).result()


def test_a_failed_host_ends_the_upgrade_after_its_batch_and_what_it_left_is_finished_later(
    fleet: Fleet, tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    fleet.repository.add("tool", "2.0", postinst=f"case $DPKG_ROOT in */web1) test -e {mended};; esac")
    state = fleet.upgrade(serial=1)
    with pytest.raises(HostsFailed, match=r"(?s)1 of 3 failed\nweb1: .*not started: web2, web3"):
        state.result()
    assert fleet.installed == ["install ok half-configured 2.0", "install ok installed 1.0", "install ok installed 1.0"]
    mended.touch()
    assert [report.outcome for report in fleet.upgrade(serial=1).result()] == ["upgraded"] * 3
    assert fleet.installed == ["install ok installed 2.0"] * 3


def test_a_kill_waits_until_dpkg_has_finished(fleet: Fleet, tmp_path: Path) -> None:
    inside, go = tmp_path / "inside", tmp_path / "go"
    fleet.repository.add("tool", "2.0", postinst=f"touch {inside}; until test -e {go}; do sleep 0.1; done")
    jobs = jobs_on(fleet.access, "web1")
    plan = Upgrade(manager="apt")
    prepared = jobs.start(prepare_job(plan, "prepare"))
    installing = install_job(plan, "install")
    wait_until_ended(jobs, prepared.jid)
    started = jobs.start(installing)
    await_true(inside.exists)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(jobs.kill, installing.jid)
        await_true(Path(started.results_dir, "ending").exists)
        go.touch()
        record = killing.result()
    assert (record.state, record.survivors) == (State.KILLED, "")
    assert fleet.installed[0] == "install ok installed 2.0"


def test_cancelling_a_run_leaves_an_installation_to_finish(fleet: Fleet, tmp_path: Path) -> None:
    inside, go = tmp_path / "inside", tmp_path / "go"
    fleet.repository.add("tool", "2.0", postinst=f"touch {inside}; until test -e {go}; do sleep 0.1; done")
    jobs = jobs_on(fleet.access, "web1")
    with ThreadPoolExecutor(1) as pool:
        upgrading = pool.submit(fleet.upgrade)
        await_true(inside.exists)
        (running,) = [record for record in jobs.list() if not record.finished]
        run = running.jid.split(".")[2]
        killed = kill_jobs_of({"access": fleet.access.model_dump(), "hosts": "web*"}, run)
        assert not killed
        assert not jobs.look(running.jid).finished
        go.touch()
        assert [report.outcome for report in upgrading.result().result()] == ["upgraded"] * 3


@pytest.mark.parametrize("wrong", [{"packages": ["--force-yes"]}, {"packages": ["a b"]}, {"serial": 0}])
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Upgrade(**wrong)
