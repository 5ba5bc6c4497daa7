"""What an operator did before an update, or meanwhile, is seen, shown, and not undone: under load."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from lab.load import Load
from lab.servers.web.site import BALANCER, LabSite
from remotejobs.prefect.flows.rolling_update import rolling_update
from remotejobs.prefect.tasks.access import Access
from tests.artifacts import table_of
from tests.awaiting import await_true
from tests.rolling.conftest import nothing_lost, update
from tests.rolling.events import amid_deployment, reload_amid_deployment
from tests.rolling.site_state import GATED, close_gates, home, open_gates, statuses, versions
from tests.rolling.test_resumed import dead_run, program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def say(site: LabSite, *lines: str) -> None:
    for line in lines:
        site.haproxy.say(f"set server app/{line}")


def weights(site: LabSite) -> list[str]:
    return [site.haproxy.weight(name) for name in site.names]


def test_hosts_that_an_operator_took_out_are_left_as_they_are(site: LabSite, load: Load) -> None:
    say(site, "web2 state maint", "web3 state drain")
    with load:
        ended = update(site, "2.0", floor=1)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.column("found") == ["ready", "maint", "drain", "ready"]
    assert ended.column("state") == [
        "updated",
        "left out, maint as it was found",
        "left out, drain as it was found",
        "updated",
    ]
    assert "web2: left out, maint as it was found: the load balancer gave it no requests" in str(ended.state.message)
    assert versions(site) == ["2.0", "1.0", "1.0", "2.0"]
    assert statuses(site) == ["UP", "MAINT", "DRAIN", "UP"]


def test_on_request_they_are_updated_without_being_put_in(site: LabSite, load: Load) -> None:
    say(site, "web1 state maint", "web2 weight 0", "web4 weight 50")
    with load:
        ended = update(site, "2.0", floor=0, found_out="update", canary=1)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.column("found") == ["maint", "weight 0", "ready", "weight 50"]
    assert ended.column("batch")[2] == "1 (canary)"  # the first that gets requests
    assert ended.table["web1"]["state"] == "updated, maint as it was found"
    assert ended.table["web2"]["state"] == "updated, weight 0 as it was found"
    assert versions(site) == ["2.0"] * 4
    assert (statuses(site), weights(site)[1:]) == (["MAINT", "UP", "UP", "UP"], ["0", "100", "50"])


def test_one_that_is_out_of_one_backend_alone_is_still_missed_in_the_other(site: LabSite) -> None:
    servers = ["web1 in 0", "web1 out 0", *(f"{name} out 0" for name in ("web2", "web3", "web4"))]
    status = "; ".join(f"echo {server}" for server in servers)
    command = {"host": BALANCER, "remove": "touch removed", "add": "true", "status": status}
    plan: dict[str, Any] = {"balancer": {"kind": "command", "command": command}, "found_out": "update"}
    ended = update(site, "2.0", hosts="web1", floor=2, floor_wait=0, revert="nothing", **plan)
    assert ended.name == "Stopped"
    assert "only 0 of 3 other servers" in ended.table["web1"]["reason"]
    assert not (home(site, BALANCER) / "removed").exists()


def test_a_failed_deployment_puts_no_host_into_service_that_was_in_maintenance(site: LabSite, load: Load) -> None:
    say(site, "web1 state maint")
    with load:
        ended = update(site, "2.0", hosts="web1", deploy="exit 5", found_out="update", revert="nothing")
    assert ended.name == "Stopped"
    nothing_lost(load)
    assert statuses(site) == ["MAINT", "UP", "UP", "UP"]


def test_on_request_the_update_is_refused_by_their_names_and_touches_nothing(site: LabSite) -> None:
    say(site, "web2 state maint", "web3 weight 0")
    ended = update(site, "2.0", found_out="refuse")
    said = str(ended.state.message)
    assert "web2: the load balancer gave it no requests before this update: maint" in said.replace(" on web2", " web2")
    assert "weight 0" in said
    assert (versions(site), statuses(site)) == (["1.0"] * 4, ["UP", "MAINT", "UP", "UP"])


def test_the_dry_run_shows_how_each_host_was_found_and_changes_nothing(site: LabSite) -> None:
    say(site, "web2 state maint", "web4 weight 40")
    state: State[Any] = rolling_update(
        Access(inventory=str(site.inventory)), "web", site.update("2.0"), dry_run=True, return_state=True
    )
    assert state.state_details.flow_run_id
    rows = [(row["host"], row["when"], row["step"]) for row in table_of(state.state_details.flow_run_id)]
    assert rows == [
        ("web1", "batch 1; balancer: ready", "deploy 2.0"),
        ("web3", "batch 2; balancer: ready", "deploy 2.0"),
        ("web4", "batch 3; balancer: weight 40", "deploy 2.0"),
        ("web2", "balancer: maint", "left out"),
    ]
    assert str(state.message).startswith("3 commands on 3 hosts would run")
    assert statuses(site) == ["UP", "MAINT", "UP", "UP"]


def test_a_host_that_is_put_into_maintenance_during_its_deployment_stays_there_and_is_no_failure(
    site: LabSite, load: Load
) -> None:
    with load, amid_deployment(site, "web2", lambda: say(site, "web2 state maint")):
        ended = update(site, "2.0", deploy=GATED)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web2"]["state"] == "updated, stays out of the load balancer"
    assert "something else put it into maint" in ended.table["web2"]["reason"]
    assert statuses(site) == ["UP", "MAINT", "UP", "UP"]


def test_a_reload_amid_a_deployment_loses_neither_requests_nor_a_weight_that_was_set(site: LabSite, load: Load) -> None:
    say(site, "web2 weight 30")

    with load, reload_amid_deployment(site, "web2"):
        ended = update(site, "2.0", deploy=GATED)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web2"]["found"] == "weight 30"
    assert weights(site)[1] == "30"


def test_an_update_whose_controller_was_killed_still_knows_how_it_found_its_hosts(
    site: LabSite, load: Load, tmp_path: Path
) -> None:
    say(site, "web1 state maint")
    plan: dict[str, Any] = {"deploy": GATED, "found_out": "update", "hosts": "web1:web2"}
    close_gates(site, "web1", "web2")
    with load:
        for name in ("web2", "web1"):  # hosts that get no requests come last
            with subprocess.Popen(**program(site, tmp_path, **plan)) as controller:
                await_true((home(site, name) / "started").exists)
                controller.kill()
            open_gates(site, name)
            plan["resume_from"] = dead_run()
        ended = update(site, "2.0", **plan)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert (ended.table["web1"]["found"], ended.table["web2"]["found"]) == ("maint", "ready")
    assert statuses(site) == ["MAINT", "UP", "UP", "UP"]
    assert [(home(site, name) / "deploys").read_text() for name in ("web1", "web2")] == ["2.0\n"] * 2


def test_a_socket_that_is_not_there_is_said_of_the_balancer_and_not_of_its_hosts(site: LabSite) -> None:
    hidden = site.haproxy.socket.with_name("hidden.sock")
    site.haproxy.socket.rename(hidden)
    ended = update(site, "2.0")
    hidden.rename(site.haproxy.socket)
    said = str(ended.state.message)
    assert "lb1: HAProxy's socket" in said
    assert "there is no socket" in said
    assert "web1" not in said
    assert statuses(site) == ["UP"] * 4
