"""What keeps a migration from beginning, and that nothing is changed then."""

from __future__ import annotations

import logging
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from prefect.exceptions import ParameterTypeError

from lab.servers.sshd import SshLab
from remotejobs.operations.backup import BackupPlan, CommandItem
from remotejobs.operations.migration import Commands, FreeSpace
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.approval import Approval
from tests.migration.conftest import EndedMigration, Migrate, lock_of
from tests.migration.gates import Gates
from tests.task_log import TaskLog


def test_of_two_on_one_host_the_second_is_refused_by_the_lock_with_the_name_of_its_holder(
    migrate: Migrate, gates: Gates, task_log: TaskLog, lab: SshLab
) -> None:
    second: list[EndedMigration] = []
    gates.close("migrate")

    def start_another() -> None:
        gates.arrival("migrate")
        with ThreadPoolExecutor(1) as elsewhere:
            second.append(elsewhere.submit(migrate, "db1:db2", Commands(migrate="echo second >>runs")).result())
        gates.open("migrate")

    task_log.when("started job migrate", start_another)
    first = migrate("db1", Commands(migrate=gates.command("migrate")))
    assert first.end == "Completed"
    (refused,) = second
    assert refused.end == "Refused"
    assert f"db1: a migration is under way there: {first.name} ({first.id}) since 2" in refused.message
    assert refused.message.endswith("Nothing was changed")
    assert (refused.jobs("db1"), refused.jobs("db2")) == ({}, {})
    assert not lock_of(lab.host("db2")).exists()


class OpensTheGate(logging.Handler):
    """Lets the other migration go on once this one says that it waits for it."""

    def __init__(self, gates: Gates) -> None:
        super().__init__()
        self.gates = gates
        self.heard = False

    def emit(self, record: logging.LogRecord) -> None:
        if "waiting for the lock of another migration on db1" in record.getMessage() and not self.heard:
            self.heard = True
            self.gates.open("migrate")


def test_one_that_waits_for_the_lock_begins_when_the_other_has_ended(migrate: Migrate, gates: Gates) -> None:
    handler, logger = OpensTheGate(gates), logging.getLogger("prefect.flow_runs")
    gates.close("migrate")
    with ThreadPoolExecutor(1) as elsewhere:
        first = elsewhere.submit(migrate, "db1", Commands(migrate=gates.command("migrate")))
        gates.arrival("migrate")
        logger.addHandler(handler)
        try:
            second = migrate("db1", Commands(migrate="true"), wait_for_lock=300)
        finally:
            logger.removeHandler(handler)
            if not handler.heard:
                gates.open("migrate")
    assert handler.heard
    assert (first.result().end, second.end) == ("Completed", "Completed")


def test_of_two_that_start_at_the_same_moment_one_is_refused(migrate: Migrate, gates: Gates) -> None:
    gates.close("migrate")
    command = Commands(migrate=gates.command("migrate"))
    with ThreadPoolExecutor(2) as both:
        runs = [both.submit(migrate, "db1", command) for _ in range(2)]
        ended, other = wait(runs, return_when=FIRST_COMPLETED)
        assert [run.result().end for run in ended] == ["Refused"], "the one that has the lock waits at the gate"
        gates.arrival("migrate")
        gates.open("migrate")
        assert [run.result().end for run in other] == ["Completed"]
    assert gates.runs == ["migrate"]


def test_a_host_that_cannot_be_reached_refuses_it_for_all(migrate: Migrate, lab: SshLab, gates: Gates) -> None:
    lab.stop_host("db2")
    try:
        ended = migrate("all", Commands(migrate=gates.command("migrate")))
    finally:
        lab.start_host("db2")
    assert ended.end == "Refused"
    assert ended.message.startswith("db2: ")
    assert gates.runs == []
    assert not any(lock_of(host).exists() for host in lab.hosts)


def test_a_host_without_room_refuses_it_for_all(migrate: Migrate, gates: Gates) -> None:
    ended = migrate("all", Commands(migrate=gates.command("migrate")), free_space=FreeSpace(min_free_mib=10**9))
    assert ended.end == "Refused"
    assert "MiB are free in the home directory, 1000000000 MiB are asked for" in ended.message
    assert gates.runs == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rollback": "undo-the-migraton"}, "db1: rollback cannot work: there is no command undo-the-migraton there"),
        ({"verify": "sh check.sh"}, "db1: verify cannot work: there is no file check.sh that may be read there"),
        (
            {"verify_rollback": "echo 'half"},
            "db1: verify_rollback cannot work: the shell there does not understand it: ",
        ),
    ],
)
def test_a_command_that_cannot_work_refuses_it_before_migrate(
    migrate: Migrate, gates: Gates, wrong: dict[str, str], said: str
) -> None:
    ended = migrate("all", Commands.model_validate({"migrate": gates.command("migrate"), **wrong}))
    assert (ended.end, gates.runs) == ("Refused", [])
    assert said in ended.message


def test_a_program_that_migrate_brings_is_not_asked_for_on_request(migrate: Migrate) -> None:
    brings = "printf '#!/bin/sh\n' >check && chmod +x check"
    ended = migrate("db1", Commands(migrate=brings, verify="./check"), check_commands=False)
    assert ended.message == "Migrated and verified on db1"


def test_a_path_that_is_not_there_has_no_room(migrate: Migrate, gates: Gates) -> None:
    ended = migrate("db1", Commands(migrate=gates.command("migrate")), free_space=FreeSpace(path="/nowhere"))
    assert (ended.end, gates.runs) == ("Refused", [])
    assert "/nowhere does not exist there" in ended.message


@pytest.mark.parametrize("pattern", ["web", " ", "'; touch /tmp/broken-out #", "db1:!db1"])
def test_a_pattern_that_means_no_host_refuses_it(migrate: Migrate, gates: Gates, pattern: str) -> None:
    ended = migrate(pattern, Commands(migrate=gates.command("migrate")))
    assert (ended.end, gates.runs) == ("Refused", [])
    assert pattern in ended.message
    assert ended.message.endswith(" Nothing was changed")


def test_no_pattern_at_all_is_refused_as_a_parameter(migrate: Migrate, gates: Gates) -> None:
    ended = migrate("", Commands(migrate=gates.command("migrate")))
    assert (ended.end, gates.runs) == ("Failed", [])
    assert ended.message.endswith("hosts: String should have at least 1 character")


def test_a_host_that_is_named_twice_is_migrated_once(migrate: Migrate, gates: Gates) -> None:
    ended = migrate("db1:db1:all:!db2:!files1", Commands(migrate=gates.command("migrate")))
    assert (ended.end, gates.runs) == ("Completed", ["migrate"])


def test_a_backup_of_no_host_refuses_it_before_anybody_is_asked(migrate: Migrate, gates: Gates) -> None:
    item = CommandItem(name="shop", hosts="nowhere", command="echo saved")
    plan = BackupPlan(commands=(item,), directory="backups")
    asked = Approval(needed=True)
    ended = migrate("db1", Commands(migrate=gates.command("migrate")), backup_first=plan, approval=asked)
    assert (ended.end, gates.runs) == ("Refused", [])
    assert ended.message.startswith("command shop: pattern 'nowhere': no host or group is named")


def test_a_command_comes_to_the_host_as_it_was_written(migrate: Migrate) -> None:
    text = r"""printf '%s\n' "it's" 'two
lines' \
    '|`*<b>$HOME'"""
    ended = migrate("db1", Commands(migrate=text))
    assert ended.end == "Completed"
    assert "\nit's\ntwo\nlines\n|`*<b>$HOME\n" in ended.report


@pytest.mark.parametrize(
    "given",
    [
        {"timeouts": {"migrate": 0}},
        {"free_space": {"path": "/srv\nfree_kib 99"}},
        {"approval": {"within_minutes": 1e12}},
    ],
)
def test_what_can_mean_nothing_is_refused_before_the_run_begins(given: dict[str, object]) -> None:
    parameters = {"access": {"inventory": "hosts.yml"}, "hosts": "db1", "commands": {"migrate": "true"}}
    migration.validate_parameters(parameters)
    with pytest.raises(ParameterTypeError):
        migration.validate_parameters({**parameters, **given})


def test_approval_outside_of_a_deployment_is_refused_for_nobody_could_answer(migrate: Migrate, gates: Gates) -> None:
    ended = migrate("db1", Commands(migrate=gates.command("migrate")), approval=Approval(needed=True))
    assert ended.end == "Refused"
    assert "only a run of a deployment can wait for it" in ended.message
    assert gates.runs == []


def test_a_migration_that_its_host_cannot_start_changed_nothing(
    migrate: Migrate, access: Access, lab: SshLab, tmp_path: Path
) -> None:
    inventory = lab.write_inventory(tmp_path / "inventory.yml")
    # Jobs cannot lie below a file; the lock's directory cannot either, so it ends there.
    (tmp_path / "file").write_text("")
    path = inventory.read_text().replace(str(lab.host("db1").results_dir), str(tmp_path / "file" / "jobs"))
    inventory.write_text(path)
    ended = migrate("db1", Commands(migrate="true"), access=Access(inventory=str(inventory)))
    assert ended.end == "Refused"
    assert "file" in ended.message


def test_only_migrate_is_needed_and_then_no_more_is_claimed(migrate: Migrate) -> None:
    ended = migrate("db1", Commands(migrate="true"))
    assert ended.message == "migrate ended with 0 on db1; there is no verify, so nothing more is known"
