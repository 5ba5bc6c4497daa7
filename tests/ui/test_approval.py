"""What a person answered is kept, whatever becomes of the processes that asked, and holds for what was asked only."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from lab.demos.stage import Stage
from lab.runs import await_end, await_state, start
from lab.servers.prefect.api import RunStatus
from remotejobs.operations.backup import BackupPlan, CommandItem
from remotejobs.operations.migration import Commands
from tests.awaiting import await_true
from tests.migration.gates import Gates
from tests.processes import processes

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]

APPROVAL = {"needed": True, "within_minutes": 60}


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


def begin(stage: Stage, gates: Gates, **others: object) -> RunStatus:
    """A migration of db1 that waits for a person, and has no process."""
    saved = CommandItem(name="shop", hosts="db1", command=gates.command("backup", "echo saved"))
    given = {
        "access": {"inventory": str(stage.inventory)},
        "hosts": "db1",
        "commands": Commands(migrate=gates.command("migrate"), verify=gates.command("verify")).model_dump(),
        "backup_first": BackupPlan(commands=(saved,), directory="approved", min_free_mib=0).model_dump(mode="json"),
        "approval": APPROVAL,
        "poll": 5,
        **others,
    }
    return await_question(stage, start(stage.api, "migration", given))


def await_question(stage: Stage, run: RunStatus) -> RunStatus:
    await_name(stage, run, "Suspended")
    await_true(lambda: not processes(run.id))
    return run


def await_name(stage: Stage, run: RunStatus, name: str) -> None:
    await_state(stage.api, run, lambda now: now.state is not None and (now.state.name == name or now.final))
    state = stage.api.flow_run(run).state
    assert state
    assert state.name == name, state.message


def kill(stage: Stage, run: RunStatus) -> None:
    """Kill the run's process as soon as there is one, and wait until its worker has noticed."""
    await_true(lambda: bool(processes(run.id)))
    for pid in processes(run.id):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await_name(stage, run, "Crashed")


def end(stage: Stage, run: RunStatus) -> tuple[str, str]:
    """The name and the message of the state that it ends in."""
    ended = await_end(stage.api, run)
    while ended.state and ended.state.name == "Crashed":  # a worker may report a death twice, also over the next life
        stage.api.retry(run)
        ended = await_end(stage.api, run)
    assert ended.state
    return ended.state.name, ended.state.message or ""


def test_a_yes_outlives_the_process_that_was_to_act_on_it_and_nobody_is_asked_twice(stage: Stage, gates: Gates) -> None:
    run = begin(stage, gates)
    stage.api.answer(run, approve=True, reason="seen on staging")
    kill(stage, run)  # before it could read the answer
    gates.close("backup")
    stage.api.retry(run)
    gates.arrival("backup")
    kill(stage, run)  # after it had read it, before the first step
    gates.open("backup")
    stage.api.retry(run)
    assert end(stage, run) == ("Completed", "Migrated and verified on db1")
    assert gates.runs == ["backup", "migrate", "verify"]
    assert stage.api.states(run).count("Suspended") == 1


def test_a_no_outlives_it_too(stage: Stage, gates: Gates) -> None:
    run = begin(stage, gates)
    stage.api.answer(run, approve=False, reason="not on a Friday")
    kill(stage, run)
    stage.api.retry(run)
    assert end(stage, run) == ("Refused", "not approved: not on a Friday. Nothing was changed")
    stage.api.retry(run)
    await_true(lambda: stage.api.states(run).count("Refused") == 2)
    assert (gates.runs, stage.api.states(run).count("Suspended")) == ([], 1)


def test_killed_while_it_waits_for_an_answer_it_asks_again_and_begins_nothing_without_one(
    stage: Stage, gates: Gates
) -> None:
    run = begin(stage, gates)
    stage.api.crash(run)
    stage.api.retry(run)
    await_true(lambda: stage.api.states(run).count("Suspended") == 2)
    await_question(stage, run)
    assert gates.runs == []
    stage.api.answer(run, approve=True, reason="seen on staging")
    assert end(stage, run) == ("Completed", "Migrated and verified on db1")


def test_a_yes_is_for_the_hosts_that_it_named_and_others_are_asked_for_again(
    stage: Stage, gates: Gates, tmp_path: Path
) -> None:
    inventory = stage.ssh.write_inventory(tmp_path / "inventory.yml", {"shops": ["db1"]})
    run = begin(stage, gates, access={"inventory": str(inventory)}, hosts="shops")
    stage.ssh.write_inventory(inventory, {"shops": ["db1", "db2"]})
    asked = stage.api.question(run)
    stage.api.answer(run, approve=True, reason="one host is no risk")
    await_true(lambda: stage.api.states(run).count("Suspended") == 2)
    await_question(stage, run)
    assert ("**db1**" in asked, "**db1, db2**" in stage.api.question(run)) == (True, True)
    assert gates.runs == []
    stage.api.answer(run, approve=False, reason="two are")
    assert end(stage, run)[0] == "Refused"
