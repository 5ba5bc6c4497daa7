"""`make up`: what it offers to be pressed ends well as it is, and what it says to try is there."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from playwright.sync_api import expect
from prefect import Flow
from prefect.exceptions import ParameterTypeError
from prefect.flows import load_flow_from_entrypoint

from lab.demos.company import WEB, Company
from lab.demos.stage import Stage
from lab.demos.up import things_to_try
from lab.kill import kill
from lab.runs import await_end, await_state, deployment
from lab.screenshots.pictures import browser
from lab.servers.prefect.api import RunStatus
from lab.servers.prefect.server import PROJECT
from tests.awaiting import await_true

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DECLARED = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
ASKS = {"rolling-repair"}  # for the run that it puts right after


def press(stage: Stage, company: Company, name: str) -> RunStatus:
    """Start it as the lab has it: tests beside this one may have filled in its form."""
    wanted = deployment(stage.api, name)
    stage.api.set_parameters(wanted, company.parameters[name])
    return stage.api.run(wanted)


def ended(stage: Stage, run: RunStatus) -> tuple[str, str]:
    """The name and the message of its last state."""
    state = await_end(stage.api, run).state
    assert state
    return state.name, state.message or ""


@pytest.fixture(scope="module")
def backed_up(stage: Stage, company: Company) -> None:
    """As `make up` does before it invites anybody."""
    assert ended(stage, press(stage, company, "nightly-backup"))[0] == "Completed"


@pytest.mark.parametrize(
    "entry", [entry for entry in DECLARED if "ops" in entry["tags"]], ids=lambda entry: entry["name"]
)
def test_the_lab_has_parameters_for_each_deployment_that_people_start(company: Company, entry: dict[str, str]) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(str(PROJECT / entry["entrypoint"]))
    if entry["name"] in ASKS:
        assert "Asks for" in entry["description"]
        with pytest.raises(ParameterTypeError, match="run: Field required"):
            flow.validate_parameters({})
    else:
        assert flow.validate_parameters(dict(company.parameters[entry["name"]]))


@pytest.mark.parametrize("name", ["reboot", "restart-services", "upgrade"])
def test_what_would_change_this_very_machine_only_shows_what_it_would_do(company: Company, name: str) -> None:
    given = company.parameters[name]
    assert given.get("dry_run") or given["run"]["dry_run"]


def test_a_worker_that_is_killed_with_its_runs_does_not_end_the_lab_and_is_started_again(
    stage: Stage, company: Company
) -> None:
    said: list[str] = []

    def restarted() -> bool:
        stage.prefect.restart_workers(said.append)
        return bool(said)

    kill(stage.prefect.worker_pid("lab"))
    await_true(restarted)
    assert said == [f"The worker lab ended. It is started again, as process {stage.prefect.worker_pid('lab')}."]
    assert ended(stage, press(stage, company, "run-command"))[0] == "Completed"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("build", "Completed"),
        ("monitor", "Completed"),
        ("clean-jobs", "Completed"),
        ("service", "Completed"),
        ("download", "Completed"),
        ("upgrade", "DryRun"),
    ],
)
def test_a_quick_run_ends_well(stage: Stage, company: Company, name: str, wanted: str) -> None:
    state, message = ended(stage, press(stage, company, name))
    assert state == wanted, message


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("verify-backups", "Completed"),
        ("report-jobs", "Completed"),
        ("report-backups", "Warning"),  # of the days before the lab there are none; on the first of a month all is well
        ("restore", "DryRun"),
    ],
)
def test_a_quick_run_after_the_backup_ends_well(
    stage: Stage, company: Company, backed_up: None, name: str, wanted: str
) -> None:
    state, message = ended(stage, press(stage, company, name))
    assert state == wanted or (name, state) == ("report-backups", "Completed"), message


SCHEDULED = {entry["name"]: entry["schedules"] for entry in DECLARED if entry.get("schedules")}


@pytest.mark.parametrize("name", ["clean-jobs", "zz-recover-stuck-runs"])
def test_what_a_schedule_starts_with_parameters_of_its_own_does_not_turn_red_either(
    stage: Stage, company: Company, name: str
) -> None:
    wanted = deployment(stage.api, name)
    (schedule,) = SCHEDULED[name]
    given = {**company.parameters.get(name, {}), **schedule.get("parameters", {})}
    assert ended(stage, stage.api.run(wanted, given))[0] == "Completed"


def test_each_deployment_with_a_schedule_is_seen_to_end_well_in_one_of_these_tests() -> None:
    pressed = {"nightly-backup", "verify-backups", "report-backups", "monitor"}
    assert pressed | {"clean-jobs", "zz-recover-stuck-runs"} == set(SCHEDULED)


def test_a_quick_run_of_the_update_brings_the_new_version_to_every_host_behind_the_balancer(
    stage: Stage, company: Company
) -> None:
    state, message = ended(stage, press(stage, company, "rolling-update"))
    assert state == "Completed", message
    assert {application.deployed for application in company.site.applications.values()} == {"2.0"}
    assert [company.site.haproxy.status(name) for name in WEB] == ["UP"] * len(WEB)


def test_a_quick_run_of_the_migration_waits_for_a_yes_and_ends_well_with_it(stage: Stage, company: Company) -> None:
    run = press(stage, company, "migration")
    await_state(stage.api, run, lambda now: now.state is not None and now.state.name == "Suspended")
    stage.api.answer(run, approve=True, reason="seen")
    assert ended(stage, run) == ("Completed", "Migrated and verified on db1, db2")


def test_in_the_browser_a_quick_run_starts_or_asks_for_what_it_cannot_know(stage: Stage, company: Company) -> None:
    by_name = {each.name: each for each in stage.api.deployments()}
    with browser(graphs=False) as page:
        page.set_default_timeout(120_000)

        def quick_run(name: str) -> None:
            page.goto(f"{stage.prefect.url}/v2/deployments/deployment/{by_name[name].id}")
            page.get_by_role("button", name="Run", exact=True).click()
            page.get_by_role("menuitem", name="Quick run").click()
            # A dialog shows what a run has to be given, filled in with what the deployment has.
            page.get_by_role("dialog", name="Run Deployment").get_by_role("button", name="Run", exact=True).click()

        quick_run("rolling-repair")
        expect(page.get_by_text("required property").first).to_be_visible(timeout=120_000)
        with page.expect_response("**/create_flow_run") as answer:
            quick_run("transfer")
        assert answer.value.ok, answer.value.text()
    (run,) = stage.api.runs_of(by_name["transfer"])
    state, message = ended(stage, run)
    assert state == "Completed", message


def test_each_thing_to_try_says_where_to_press_or_what_to_type(stage: Stage, company: Company) -> None:
    for what, how in things_to_try(stage, company, workers=["lab"]):
        assert what.endswith(".")
        assert how.startswith((f"{stage.prefect.url}/v2/deployments/deployment/", "remotejobs "))
