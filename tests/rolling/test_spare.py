"""Spare hosts: put in before any other host leaves, so that never fewer serve than before. Under load."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.load import Load
from lab.servers.web.site import WEB, LabSite
from tests.rolling.conftest import nothing_lost, update
from tests.rolling.site_state import home, statuses, versions
from tests.rolling.test_resumed import dead_run, killed_after

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@contextmanager
def fewest_serving(site: LabSite) -> Iterator[list[int]]:
    """Watches HAProxy all the while; in the end the list has how many servers got requests at the worst moment."""
    over, seen, fewest = threading.Event(), list[int](), list[int]()

    def watch() -> None:
        while not over.is_set():
            seen.append(sum(site.haproxy.status(name).startswith("UP") for name in WEB))  # UP 1/2 serves too
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield fewest
    finally:
        over.set()
        thread.join()
        fewest.append(min(seen))


@pytest.mark.parametrize(
    ("state", "shown"), [("state maint", "maint"), ("state drain", "drain"), ("weight 0", "weight 0")]
)
def test_with_a_spare_host_never_fewer_serve_than_before_and_it_is_out_again_in_the_end(
    site: LabSite, load: Load, state: str, shown: str
) -> None:
    site.haproxy.say(f"set server app/web4 {state}")
    before = site.haproxy.say("show servers state").splitlines()[5].split()[5:8]
    with load, fewest_serving(site) as fewest:
        ended = update(site, "2.0", spare="web4", serial=2, canary=1)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert "web4 2.0" in load.report.seen
    assert "web4 1.0" not in load.report.seen
    assert fewest[0] >= 3
    assert ended.column("batch") == ["1 (canary)", "2", "2", "spare"]
    assert ended.table["web4"]["state"] == f"updated, {shown} as it was found"
    assert versions(site) == ["2.0"] * 4
    assert site.haproxy.say("show servers state").splitlines()[5].split()[5:8] == before


def test_a_spare_host_that_cannot_be_updated_stops_the_update_before_any_other_is_touched(
    site: LabSite, load: Load
) -> None:
    site.haproxy.say("set server app/web4 state maint")
    with load:
        ended = update(site, "2.0", spare="web4", deploy="exit 5", revert="nothing", budget={"in_all": 4})
    assert ended.name == "Stopped"
    assert "no spare host could be put in" in str(ended.state.message)
    nothing_lost(load)
    assert ended.column("state")[:3] == ["not started"] * 3
    assert (versions(site), statuses(site)) == (["1.0"] * 4, ["UP", "UP", "UP", "MAINT"])


def test_a_spare_host_stays_in_where_another_one_was_lost(site: LabSite, load: Load) -> None:
    site.haproxy.say("set server app/web4 state maint")
    spoil = '[ ! -e spoil ] || { kill -STOP "$(cat app/pid)"; exit 5; }; app/deploy.sh "$VERSION"'
    (home(site, "web3") / "spoil").touch()
    health = site.update("2.0")["health"] | {"deadline": 3, "timeout": 1}
    with load:
        ended = update(site, "2.0", spare="web4", deploy=spoil, revert="nothing", budget={"in_all": 1}, health=health)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web3"]["state"] == "failed, stays out of the load balancer"
    assert "stays in the load balancer, where it was found maint: only 2 of 3" in ended.table["web4"]["reason"]
    assert statuses(site)[3] == "UP"


def test_a_host_that_gets_requests_is_no_spare_and_nothing_is_touched(site: LabSite) -> None:
    ended = update(site, "2.0", spare="web4")
    assert "web4" in str(ended.state.message)
    assert "is no spare host: it gets requests" in str(ended.state.message)
    assert (versions(site), statuses(site)) == (["1.0"] * 4, ["UP"] * 4)


def test_a_reverted_update_leaves_the_spare_host_out_with_its_version(site: LabSite, load: Load) -> None:
    site.haproxy.say("set server app/web4 state maint")
    (home(site, "web2") / "spoil").touch()
    spoil = '[ "$VERSION" = 1.0 ] || [ ! -e spoil ] || exit 5; app/deploy.sh "$VERSION"'
    with load:
        ended = update(site, "2.0", spare="web4", deploy=spoil, revert="updated")
    assert ended.name == "Reverted"
    nothing_lost(load)
    assert ended.table["web4"]["state"] == "reverted, maint as it was found"
    assert (versions(site), statuses(site)) == (["1.0"] * 4, ["UP", "UP", "UP", "MAINT"])


def test_killed_while_the_spare_host_serves_it_goes_on_and_takes_that_out_in_the_end(
    site: LabSite, load: Load, tmp_path: Path
) -> None:
    site.haproxy.say("set server app/web2 state maint")
    earlier = ""
    with load:
        for step in ("put in web2", "update web1", "take out web2"):
            killed_after(f"Task run '{step}' - Finished", site, tmp_path, spare="web2", resume_from=earlier)
            earlier = dead_run()
        ended = update(site, "2.0", hosts="web1:web2", spare="web2", resume_from=earlier)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web1"]["state"] == "updated earlier"
    assert ended.table["web2"]["state"] == "updated earlier, maint as it was found"
    assert statuses(site) == ["UP", "MAINT", "UP", "UP"]


@pytest.mark.parametrize(
    ("hosts", "spare", "words"),
    [
        ("web1:web2", "web4", "web4 is none of the hosts"),
        ("web1", "web1", "no host is left that it could stand in for"),
    ],
)
def test_spare_hosts_are_hosts_of_the_update_and_not_all_of_them(
    site: LabSite, hosts: str, spare: str, words: str
) -> None:
    assert words in str(update(site, "2.0", hosts=hosts, spare=spare).state.message)
