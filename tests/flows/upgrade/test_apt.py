"""Package upgrades by the real apt and dpkg in a root of their own, and in batches on simulated hosts."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State as RunState
from pydantic import ValidationError

from lab.servers.packages.debian import AptRoot, Repository
from lab.servers.sshd import SshLab
from remotejobs.jobs.wait import wait_until_ended
from remotejobs.model import State
from remotejobs.operations.upgrade import HostUpgrade, PackageChange, Upgrade, UpgradeOutcome, install_job, prepare_job
from remotejobs.prefect.flows.upgrade import upgrade
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.cancel.cancel import kill_jobs_of
from remotejobs.prefect.tasks.connections import connections, jobs_on
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.testing import FakeHosts, Plan
from tests.artifacts import tables_of
from tests.awaiting import await_true
from tests.task_log import TaskLog

APT = Upgrade(manager="apt")
SIMULATED = Access(inventory="web1,web2,web3")
REPORT = "remotejobs-upgrade 1\npackage tool 1.0 2.0\nend\n"
TO_THE_NEWEST = HostUpgrade(
    host="web1", outcome=UpgradeOutcome.UPGRADED, changes=(PackageChange("tool", "1.0", "2.0"),)
)


@dataclass(frozen=True)
class Apt:
    """A host with a root that has `tool` 1.0 installed, and where its packages come from."""

    access: Access
    repository: Repository
    root: AptRoot

    def upgrade(self, **plan: Any) -> list[HostUpgrade]:
        return upgrade(self.access, "web1", APT.model_copy(update=plan), 1)

    @property
    def tool(self) -> str:
        return self.root.installed("tool").removeprefix("install ok ")


@pytest.fixture
def apt(tmp_path: Path) -> Iterator[Apt]:
    repository = Repository(tmp_path / "repository")
    root = AptRoot(tmp_path / "web1", repository)
    root.install(repository.add("tool", "1.0"))
    home = tmp_path / "home"
    home.mkdir()
    words = [f'"{key}={value}"' for key, value in {"HOME": home, **root.environment}.items()]
    with SshLab(tmp_path / "lab", ["web1"], extra_config=[f"SetEnv {' '.join(words)}"]) as lab:
        yield Apt(Access(inventory=str(lab.write_inventory(tmp_path / "inventory.yml"))), repository, root)
        connections().close()


@contextmanager
def held(lock: Path) -> Iterator[Callable[[], None]]:
    """The lock as another apt holds it; gives what lets it go."""
    with lock.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield lambda: fcntl.lockf(file, fcntl.LOCK_UN)


def test_a_host_is_upgraded_and_its_report_names_the_packages(apt: Apt) -> None:
    apt.repository.add("tool", "2.0")
    (report,) = apt.upgrade()
    assert [str(change) for change in report.changes] == ["tool 1.0 → 2.0"]
    assert (report.outcome, apt.tool) == ("upgraded", "installed 2.0")


def test_where_nothing_is_new_nothing_is_changed(apt: Apt) -> None:
    assert [report.outcome for report in apt.upgrade()] == ["nothing to do"]
    assert apt.tool == "installed 1.0"


def test_only_the_packages_that_are_named_are_upgraded_and_only_where_they_are_installed(apt: Apt) -> None:
    apt.root.install(apt.repository.add("other", "1.0"))
    for name in ("absent", "other", "tool"):
        apt.repository.add(name, "2.0")
    (report,) = apt.upgrade(packages=["absent", "other"])
    assert [str(change) for change in report.changes] == ["other 1.0 → 2.0"]
    assert apt.root.installed("other") == "install ok installed 2.0"
    assert apt.tool == "installed 1.0"


def test_a_lock_that_is_never_released_fails_the_host(apt: Apt) -> None:
    with (
        held(apt.root.lock),
        pytest.raises(HostsFailed, match="(?s)web1: .*Unable to acquire the dpkg frontend lock"),
    ):
        apt.upgrade(lock_timeout=1)


def test_a_lock_that_another_apt_holds_is_waited_for(apt: Apt, task_log: TaskLog) -> None:
    apt.repository.add("tool", "2.0")
    with held(apt.root.lock) as let_go:
        task_log.when("Waiting for cache lock", let_go)
        (report,) = apt.upgrade()
    assert task_log.having("Waiting for cache lock")
    assert report.outcome == "upgraded"


def test_what_a_failed_upgrade_left_is_finished_by_the_next_one(apt: Apt, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    apt.repository.add("tool", "2.0", postinst=f"test -e {mended}")
    with pytest.raises(HostsFailed, match=r"(?s)1 of 1 failed\nweb1: "):
        apt.upgrade()
    assert apt.tool == "half-configured 2.0"
    mended.touch()
    assert [report.outcome for report in apt.upgrade()] == ["upgraded"]
    assert apt.tool == "installed 2.0"


def test_a_kill_waits_until_dpkg_has_finished(apt: Apt, tmp_path: Path) -> None:
    inside, go = tmp_path / "inside", tmp_path / "go"
    apt.repository.add("tool", "2.0", postinst=f"touch {inside}; until test -e {go}; do sleep 0.1; done")
    jobs = jobs_on(apt.access, "web1")
    prepared = jobs.start(prepare_job(APT, "prepare"))
    installing = install_job(APT, "install")
    wait_until_ended(jobs, prepared.jid)
    started = jobs.start(installing)
    await_true(inside.exists)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(jobs.kill, installing.jid)
        await_true(Path(started.results_dir, "ending").exists)
        go.touch()
        record = killing.result()
    assert (record.state, record.survivors) == (State.KILLED, "")
    assert apt.tool == "installed 2.0"


def test_cancelling_a_run_leaves_an_installation_to_finish(apt: Apt, tmp_path: Path) -> None:
    inside, go = tmp_path / "inside", tmp_path / "go"
    apt.repository.add("tool", "2.0", postinst=f"touch {inside}; until test -e {go}; do sleep 0.1; done")
    jobs = jobs_on(apt.access, "web1")
    with ThreadPoolExecutor(1) as pool:
        upgrading = pool.submit(apt.upgrade)
        await_true(inside.exists)
        (running,) = [record for record in jobs.list() if not record.finished]
        run = running.jid.split(".")[2]
        prepared, installing = kill_jobs_of(UUID(run))
        assert prepared.said.startswith("succeeded")
        assert installing.goes_on
        assert not jobs.record(running.jid).finished
        go.touch()
        assert [report.outcome for report in upgrading.result()] == ["upgraded"]


@pytest.fixture
def fleet(fake: FakeHosts) -> FakeHosts:
    """Simulated hosts whose upgrades go well."""
    fake.plan(r"\nup_install\n$", Plan(stdout=REPORT))
    fake.says(r"\nup_check$", "reboot no\n")
    return fake


def upgrade_fleet(**plan: Any) -> RunState[list[HostUpgrade]]:
    state: RunState[list[HostUpgrade]] = upgrade(SIMULATED, "web*", Upgrade(**plan), 1, return_state=True)
    return state


def test_hosts_are_upgraded_in_batches(fleet: FakeHosts) -> None:
    state = upgrade_fleet(serial=[1, 2])
    assert state.result() == [replace(TO_THE_NEWEST, host=host) for host in ("web1", "web2", "web3")]
    outcomes = [[row["state"] for row in table] for table in tables_of(state.state_details.flow_run_id)]
    assert outcomes == [["not started", "not started", "upgraded"], ["upgraded"] * 3]


def test_a_failed_host_ends_the_upgrade_after_its_batch(fleet: FakeHosts) -> None:
    fleet.plan(
        r"\nup_install\n$", Plan(rc=100, stderr="E: Sub-process /usr/bin/dpkg returned an error code (1)\n"), on="web1"
    )
    with pytest.raises(
        HostsFailed, match=r"(?s)1 of 3 failed\nweb1: .*dpkg returned an error.*not started: web2, web3"
    ):
        upgrade_fleet(serial=1).result()
    assert {start.host for start in fleet.started()} == {"web1"}


@pytest.mark.parametrize("wrong", [{"packages": ["--force-yes"]}, {"packages": ["a b"]}, {"serial": 0}])
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Upgrade(**wrong)
