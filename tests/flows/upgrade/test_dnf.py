"""Package upgrades by the real dnf and rpm, in a root of their own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.servers.packages.rpms import RpmRepository, RpmRoot
from lab.servers.sshd import SshLab
from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from remotejobs.operations.upgrade import Upgrade, install_job, reboot_need
from remotejobs.prefect.flows.upgrade import upgrade
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections, jobs_on, shell_of
from tests.awaiting import await_true
from tests.task_log import TaskLog

PLAN = Upgrade(manager="dnf")
WAIT = """posix.mkdir("/inside") while not posix.access("/go") do posix.sleep(1) end"""


@dataclass(frozen=True)
class RpmHost:
    access: Access
    repository: RpmRepository
    root: RpmRoot
    directory: Path

    @property
    def jobs(self) -> HostJobs:
        return jobs_on(self.access, "rpm1")

    @property
    def shell(self) -> Shell:
        return shell_of(self.access, "rpm1")

    def program(self, name: str, text: str) -> None:
        """A program that the host has beside dnf."""
        path = self.directory / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


@contextmanager
def rpm_host(directory: Path) -> Iterator[RpmHost]:
    """A host with dnf and rpm, and no package."""
    repository = RpmRepository(directory / "repository")
    root = RpmRoot(directory / "rpm1", repository)
    home = directory / "home"
    home.mkdir()
    words = [f'"{key}={value}"' for key, value in {"HOME": home, **root.environment}.items()]
    with SshLab(directory / "lab", ["rpm1"], extra_config=[f"SetEnv {' '.join(words)}"]) as lab:
        inventory = lab.write_inventory(directory / "inventory.yml")
        yield RpmHost(Access(inventory=str(inventory)), repository, root, directory / "rpm1")
        connections().close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RpmHost]:
    """It has `tool` 1.0 installed."""
    with rpm_host(tmp_path) as host:
        host.root.install(host.repository.add("tool", "1.0"))
        yield host


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RpmHost]:
    with rpm_host(tmp_path_factory.mktemp("bare")) as host:
        yield host


def test_what_is_new_is_installed_and_named(host: RpmHost) -> None:
    host.repository.add("tool", "2.0")
    (report,) = upgrade(host.access, "rpm1", PLAN, 1)
    assert [str(change) for change in report.changes] == ["tool.noarch 1.0-1 → 2.0-1"]
    assert report.outcome == "upgraded"
    assert report.reboot.startswith("unknown: "), "nothing on this host knows it"
    assert host.root.installed() == ["tool 2.0"]
    (again,) = upgrade(host.access, "rpm1", PLAN, 1)
    assert again.outcome == "nothing to do"


def test_another_dnf_that_is_at_work_is_waited_for(host: RpmHost, task_log: TaskLog) -> None:
    host.root.install(host.repository.add("other", "1.0"))
    host.repository.add("other", "2.0")
    host.repository.add("tool", "2.0", post=WAIT)
    host.jobs.start(Job(jid="another", cmd="dnf --assumeyes upgrade tool"))
    await_true(host.root.inside("/inside").exists)
    task_log.when("waiting for the lock", host.root.inside("/go").touch)
    (report,) = upgrade(host.access, "rpm1", PLAN, 1)
    assert task_log.having("RPMDB already locked by")
    assert "other.noarch 1.0-1 → 2.0-1" in [str(change) for change in report.changes]
    assert sorted(host.root.installed()) == ["other 2.0", "tool 2.0"]


def test_a_kill_waits_until_rpm_has_finished(host: RpmHost) -> None:
    host.repository.add("tool", "2.0", post=WAIT)
    started = host.jobs.start(install_job(PLAN, "install"))
    await_true(host.root.inside("/inside").exists)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(host.jobs.kill, "install")
        await_true(Path(started.results_dir, "ending").exists)
        host.root.inside("/go").touch()
        record = killing.result()
    assert (record.state, record.survivors) == (State.KILLED, "")
    assert host.root.installed() == ["tool 2.0"], "one version, the new one"


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (
            "echo 'Core libraries:'; echo '  * kernel'; echo; echo 'Reboot is required to fully utilize these'; exit 1",
            "kernel",
        ),
        ("echo 'No core libraries or services have been updated.'; echo 'Reboot should not be necessary.'", ""),
        (
            "echo 'No such command: needs-restarting' >&2; exit 1",
            "unknown: needs-restarting said: No such command: needs-restarting",
        ),
    ],
)
def test_whether_a_reboot_is_needed_is_asked_of_needs_restarting(bare: RpmHost, text: str, reported: str) -> None:
    bare.program("needs-restarting", text)
    assert str(reboot_need(bare.shell)) == reported
