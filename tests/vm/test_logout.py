"""A logind that ends what a login leaves behind, and jobs in units that outlive it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.servers.vm.machine import Vm
from remotejobs.agent.shell import Shell
from remotejobs.connections.base import Become
from remotejobs.connections.connect import open_connection
from remotejobs.errors import StartFailed
from remotejobs.inventory import load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State
from tests.awaiting import await_true

LONG = "echo started; sleep 3600"
# It hides its environment, leaves the session and is orphaned: only the cgroup knows which job it belongs to.
HIDING = "(env -i setsid sleep 3601 &); until pgrep -fx 'sleep 3601'; do sleep 0.1; done; exec sleep 3600"
CONF = "/etc/systemd/logind.conf.d/kills.conf"


@pytest.fixture(autouse=True, scope="module")
def kills(shell: Shell) -> Iterator[None]:
    """Logind ends all processes of a user who logs out, unless it is root."""
    reported = f"mkdir -p {CONF.rpartition('/')[0]} && printf '[Login]\\nKillUserProcesses=yes\\n' >{CONF}"
    assert shell.run(f"{reported} && systemctl restart systemd-logind").rc == 0
    yield
    assert shell.run(f"rm {CONF}; systemctl restart systemd-logind").rc == 0


class Logins:
    """Logins of their own, each over before the next begins."""

    def __init__(self, vm: Vm, shell: Shell, directory: Path) -> None:
        self._vm = vm
        self._root = shell
        self._directory = directory

    @contextmanager
    def jobs(self, user: str = "ops", become: Become | None = None) -> Iterator[HostJobs]:
        inventory = self._vm.write_inventory(self._directory / f"{user}.yml", user=user)
        connection = open_connection(load_inventory(inventory).hosts[self._vm.name])
        try:
            cgroup = Shell(connection).run("sed -n 's/^0:://p' /proc/self/cgroup").output.strip()
            assert "/session-" in cgroup
            yield HostJobs(connection, become=become)
        finally:
            connection.close()
        if user != "root":  # root's processes stay, and the session with them
            await_true(lambda: self._root.run(f"test -d /sys/fs/cgroup{cgroup}").rc != 0)

    @contextmanager
    def outlived(self, job: Job, become: Become | None = None) -> Iterator[tuple[HostJobs, Record]]:
        """The next login, and the job as it finds it."""
        with self.jobs(become=become) as jobs:
            assert jobs.start(job).state is State.RUNNING
            await_true(lambda: bool(jobs.record(job.jid).stdout))
        with self.jobs(become=become) as jobs:
            yield jobs, jobs.record(job.jid)


@pytest.fixture
def logins(vm: Vm, shell: Shell, tmp_path: Path) -> Logins:
    return Logins(vm, shell, tmp_path)


def test_a_plain_job_ends_with_its_login_and_is_reported_as_lost(logins: Logins) -> None:
    with logins.outlived(Job(jid="plain", cmd=LONG, launcher="plain")) as (_, record):
        pass
    assert (record.state, record.cause, record.still_runs) == (State.LOST, "gone", False)


def test_where_no_unit_can_outlive_the_login_the_job_is_refused_with_the_remedy(logins: Logins) -> None:
    with logins.jobs() as jobs:
        with pytest.raises(StartFailed, match="let root run once: loginctl enable-linger ops"):
            jobs.start(Job(jid="refused", cmd=LONG))
        assert "refused" not in [record.jid for record in jobs.list()]


def test_a_job_in_a_unit_outlives_its_login_and_a_kill_ends_all_that_is_in_its_cgroup(
    logins: Logins, shell: Shell
) -> None:
    assert shell.run("loginctl enable-linger ops").rc == 0
    try:
        with logins.outlived(Job(jid="unit", cmd=HIDING)) as (jobs, found):
            assert found.state is State.RUNNING
            assert shell.run("pgrep -fx 'sleep 3601'").rc == 0
            record = killed(jobs, "unit")
    finally:
        assert shell.run("loginctl disable-linger ops").rc == 0
    assert record.state is State.KILLED
    assert record.proof == "reaped", "the kernel knew of no more processes"
    assert record.msg == "killed on request; its process tree with its cgroup is proven empty"
    assert shell.run("pgrep -fx 'sleep 3601'").rc == 1
    assert shell.run("find /sys/fs/cgroup -name 'remotejobs-unit-*'").output.strip() == ""


def killed(jobs: HostJobs, jid: str) -> Record:
    """The record once it has ended. An emulated machine may need longer to write that down than a kill waits for it."""
    jobs.kill(jid, grace=1)
    await_true(lambda: jobs.record(jid, wait=10).finished)
    return jobs.record(jid)


def test_a_job_of_another_user_by_sudo_outlives_the_login_too(logins: Logins) -> None:
    with logins.outlived(Job(jid="by-sudo", cmd=LONG), become=Become()) as (jobs, found):
        assert found.state is State.RUNNING
        assert killed(jobs, "by-sudo").state is State.KILLED


def test_the_limit_of_a_job_in_a_unit_ends_all_that_is_in_its_cgroup(logins: Logins, shell: Shell) -> None:
    with logins.jobs("root") as jobs:
        jobs.start(Job(jid="limited", cmd=HIDING, launcher="systemd", timeout=5, grace=1))
        await_true(lambda: jobs.record("limited", wait=10).finished)
        record = jobs.record("limited")
    assert (record.state, record.survivors) == (State.TIMED_OUT, "")
    assert record.msg.endswith("its process tree with its cgroup is proven empty")
    assert "sleep 3601" in record.processes
    assert shell.run("pgrep -fx 'sleep 3601'").rc == 1
