"""`make up`: what it offers to be pressed ends well as it is, and what it says to try is there."""

from __future__ import annotations

import pytest

from lab.demos.plan import deployment_parameters
from lab.demos.stage import Stage
from lab.demos.up import things_to_try
from lab.runs import await_end, await_state, deployment
from lab.servers.prefect.api import RunStatus

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def press(stage: Stage, name: str) -> RunStatus:
    """Start it as the lab has it: tests beside this one may have filled in its form."""
    wanted = deployment(stage.api, name)
    stage.api.set_parameters(wanted, deployment_parameters(stage.postgres, stage.inventory)[name])
    return stage.api.run(wanted)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("run-command", "Completed"),
        ("build", "Completed"),
        ("monitor", "Completed"),
        ("clean-jobs", "Completed"),
        ("verify-backups", "Completed"),
        ("service", "Completed"),
        ("upgrade", "DryRun"),
    ],
)
def test_a_quick_run_ends_well(stage: Stage, name: str, wanted: str) -> None:
    ended = await_end(stage.api, press(stage, name))
    assert ended.state
    assert ended.state.name == wanted, ended.state.message


def test_a_quick_run_of_the_migration_waits_for_a_yes_and_ends_well_with_it(stage: Stage) -> None:
    run = press(stage, "migration")
    await_state(stage.api, run, lambda now: now.state is not None and now.state.name == "Suspended")
    stage.api.answer(run, approve=True, reason="seen")
    ended = await_end(stage.api, run)
    assert ended.state
    assert (ended.state.name, ended.state.message) == ("Completed", "Migrated and verified on db1, db2")


def test_each_thing_to_try_says_where_to_press_or_what_to_type(stage: Stage) -> None:
    for what, how in things_to_try(stage):
        assert what.endswith(".")
        assert how.startswith((f"{stage.prefect.url}/v2/deployments/deployment/", "remotejobs "))
