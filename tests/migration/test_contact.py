"""Lost contact is not failure."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import yaml

from lab.job_files import fields_of
from lab.proxy import Proxy
from lab.servers.sshd import SshLab
from remotejobs.cli import main
from remotejobs.model import State
from remotejobs.operations.migration import Commands, MigrationStep
from remotejobs.prefect.tasks.access import Access
from tests.migration.conftest import Control, EndedMigration, Migrate, lock_of
from tests.migration.gates import Gates
from tests.task_log import TaskLog

pytestmark = [pytest.mark.slow, pytest.mark.faults]


def gated(gates: Gates, *, verify: str = "true") -> Commands:
    steps = set(MigrationStep) - {MigrationStep.BEFORE, MigrationStep.STOP, MigrationStep.VERIFY_STOP}
    ends = {MigrationStep.VERIFY: verify}
    return Commands.model_validate({step: gates.command(step, ends.get(step, "true")) for step in steps})


def test_contact_lost_for_longer_than_the_deadline_ends_as_unknown_and_a_retry_goes_on(
    access: Access, lab: SshLab, gates: Gates, controller: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    gates.close("migrate")
    run = controller({"access": access, "hosts": "db1", "commands": gated(gates), "contact_timeout": 2, "poll": 1})
    run.start()
    gates.arrival("migrate")
    for step in ("migrate", "prepare-rollback"):  # both run side by side; contact is lost once both were started
        run.await_words(f"started job {step}")
    lab.stop_host("db1")
    try:
        unknown = EndedMigration(run.finish(), access)
    finally:
        lab.start_host("db1")
    assert unknown.end == "Unknown"
    assert unknown.message.startswith("db1: migrate: nothing listens")
    assert "it was last seen running" in unknown.message
    assert set(gates.runs) == {"migrate", "prepare_rollback"}, "nothing is rolled back on a guess"
    assert lock_of(lab.host("db1")).exists()

    asked = next(line for line in unknown.report.splitlines() if line.startswith("remotejobs status"))
    assert main(asked.split()[1:]) == 0
    assert "running" in capsys.readouterr().out

    run.start()
    run.await_words("attached to job migrate")
    gates.open("migrate")
    ended = EndedMigration(run.finish(), access)
    assert (ended.end, ended.message) == ("Completed", "Migrated and verified on db1")
    assert sorted(gates.runs) == ["migrate", "prepare_rollback", "verify"]
    assert not lock_of(lab.host("db1")).exists()


def test_a_network_that_swallows_everything_is_asked_until_the_deadline_and_nothing_is_claimed(
    migrate: Migrate,
    lab: SshLab,
    gates: Gates,
    task_log: TaskLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("remotejobs.jobs.client.EXCHANGE_TIMEOUT", 2.0)  # a minute otherwise
    gates.close("migrate")

    with Proxy(lab.host("db1").port) as network:

        def swallow() -> None:
            gates.arrival("migrate")
            network.stall()

        task_log.when("started job migrate", swallow)
        access = Access(inventory=str(inventory_through(network, lab, tmp_path)))
        steps = (MigrationStep.MIGRATE, MigrationStep.VERIFY, MigrationStep.ROLLBACK)
        plan = Commands.model_validate({step: gates.command(step) for step in steps})
        ended = migrate("db1", plan, access=access, contact_timeout=4)
        assert ended.end == "Unknown"
        assert "it was last seen running" in ended.message
        assert any("asking again" in line for line in task_log.lines)
        asked = next(line for line in ended.report.splitlines() if line.startswith("remotejobs status"))
        network.resume()
        assert main(asked.split()[1:]) == 0
    assert "running" in capsys.readouterr().out
    assert gates.runs == ["migrate"], "nothing is rolled back on a guess, and the step goes on"
    assert lock_of(lab.host("db1")).exists()
    gates.open("migrate")


def inventory_through(network: Proxy, lab: SshLab, directory: Path) -> Path:
    """An inventory of db1 alone, which is reached through that network."""
    host = lab.host("db1")
    variables = lab.variables("db1") | {"ansible_port": network.port, "ansible_timeout": 2}
    variables["ansible_ssh_common_args"] += f" -o HostKeyAlias=[127.0.0.1]:{host.port}"
    path = directory / "inventory.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": {"db1": variables}}}))
    return path


def test_contact_lost_for_a_shorter_time_changes_nothing(
    migrate: Migrate, lab: SshLab, gates: Gates, task_log: TaskLog
) -> None:
    gates.close("migrate")

    def lose_contact() -> None:
        gates.arrival("migrate")
        lab.stop_host("db2")

    def find_it_again() -> None:
        lab.start_host("db2")
        gates.open("migrate")

    task_log.when("started job migrate", lose_contact)
    task_log.when("asking again", find_it_again)
    ended = migrate("db2", gated(gates))
    assert ended.end == "Completed"
    assert any("asking again" in line for line in task_log.lines)


def test_a_host_that_is_silent_keeps_the_others_from_being_rolled_back(
    migrate: Migrate, lab: SshLab, gates: Gates, task_log: TaskLog
) -> None:
    gates.close("migrate")

    def lose_contact() -> None:
        gates.arrival("migrate")
        lab.stop_host("db2")
        gates.open("migrate")

    task_log.when("started job migrate", lose_contact)
    fails_on_db1 = gates.command("other", "exit 3")
    on_db2 = gates.command("migrate")
    command = f"case $HOME in */db1/*)\n{fails_on_db1}\n;; *)\n{on_db2}\n;; esac"
    plan = gated(gates).model_copy(update={"migrate": command})
    try:
        ended = migrate("db1:db2", plan, contact_timeout=2)
    finally:
        lab.start_host("db2")
    assert ended.end == "Unknown"
    assert "rollback" not in gates.runs
    for host in ("db1", "db2"):
        assert lock_of(lab.host(host)).exists()


@pytest.mark.parametrize(("verify", "end"), [("true", "Completed"), ("false", "RolledBack")])
def test_a_host_that_rebooted_midway_is_judged_by_verify(
    migrate: Migrate, lab: SshLab, gates: Gates, task_log: TaskLog, verify: str, end: str
) -> None:
    def reboot() -> None:
        gates.arrival("migrate")
        lab.stop_host("files1")
        jobs = lab.host("files1").results_dir.glob("migrate.*")
        forget_boot(max(jobs, key=lambda job: job.stat().st_ctime_ns))
        lab.start_host("files1")

    gates.close("migrate")
    task_log.when("started job migrate", reboot)
    ended = migrate("files1", gated(gates, verify=verify))
    assert ended.end == end
    assert ended.jobs("files1")["migrate"].state is State.LOST


def forget_boot(job: Path) -> None:
    """Leave what a reboot leaves: none of the job's processes, and a record of an earlier boot."""
    gate = job / "job"
    fields = fields_of(job)
    for name in ("supervisor", "reaper"):
        os.kill(int(fields[name].split()[0]), signal.SIGKILL)
    os.kill(int(fields["timer"].split()[0]), signal.SIGTERM)  # it ends its own sleep then
    os.killpg(int(fields["command"].split()[0]), signal.SIGKILL)
    gate.write_text(gate.read_text().replace(f"boot {fields['boot']}", "boot earlier"))
