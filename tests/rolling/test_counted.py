"""The floor counts what the load balancer counts: weights, every server of the backend, backup servers. Under load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.load import Load
from lab.servers.web.site import LabSite
from remotejobs.prefect.tasks.connections import connections
from tests.rolling.conftest import nothing_lost, update
from tests.rolling.site_state import statuses, versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_servers_drained_by_weight_0_do_not_count_though_haproxy_calls_them_up(site: LabSite, load: Load) -> None:
    for name in ("web2", "web3", "web4"):
        site.haproxy.say(f"set server app/{name} weight 0")
    with load:
        ended = update(site, "2.0", floor_wait=0)
    assert ended.name == "Stopped"
    nothing_lost(load)
    assert "only 0 of 3 other servers of app on lb1 serve, 2 must, not web2 (weight 0)" in ended.table["web1"]["reason"]
    assert statuses(site) == ["UP"] * 4


def test_servers_outside_the_pattern_count(site: LabSite, load: Load) -> None:
    for name in ("web2", "web3", "web4"):
        site.applications[name].die()
        site.haproxy.await_status(name, "DOWN")
    with load:
        ended = update(site, "2.0", hosts="web1", floor_wait=0)
    assert ended.name == "Stopped"
    nothing_lost(load)
    assert "only 0 of 3 other servers of app on lb1 serve, 2 must, not web2 (DOWN)" in ended.table["web1"]["reason"]
    assert versions(site) == ["1.0"] * 4
    assert statuses(site)[0] == "UP"


@pytest.fixture
def pair(tmp_path: Path, prefect_server: Path) -> Iterator[LabSite]:
    with LabSite(tmp_path / "pair", ["web1", "web2"], options={"web2": "backup"}) as site:
        yield site
        connections().close()


def test_a_server_and_its_backup_are_both_updated_and_lose_nothing(pair: LabSite, tmp_path: Path) -> None:
    with Load(pair.haproxy.url, tmp_path / "load") as load:
        ended = update(pair, "2.0", floor="100%")
    assert ended.name == "Completed"
    nothing_lost(load)
    assert [pair.applications[name].deployed for name in pair.names] == ["2.0"] * 2


def test_a_server_whose_backup_is_down_stays_in(pair: LabSite, tmp_path: Path) -> None:
    pair.applications["web2"].die()
    pair.haproxy.await_status("web2", "DOWN")
    with Load(pair.haproxy.url, tmp_path / "load") as load:
        ended = update(pair, "2.0", hosts="web1", floor_wait=0)
    assert ended.name == "Stopped"
    nothing_lost(load)
    assert pair.applications["web1"].deployed == "1.0"
