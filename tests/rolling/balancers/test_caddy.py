"""Caddy by the recipe of docs/how-to/load-balancers.md: whole updates under load, on Debian's Caddy."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.load import Load
from lab.servers.web.caddy import Caddy
from lab.servers.web.site import LabSite
from tests.documents import ROOT
from tests.rolling.conftest import nothing_lost, update
from tests.rolling.site_state import versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def caddy(site: LabSite, tmp_path: Path) -> Iterator[Caddy]:
    with Caddy(tmp_path / "caddy", {name: each.port for name, each in site.applications.items()}) as caddy:
        yield caddy


@pytest.fixture
def plan(caddy: Caddy) -> dict[str, Any]:
    text = (ROOT / "docs" / "how-to" / "load-balancers.md").read_text()
    found = re.search(r"<!-- recipe: caddy -->\n```yaml\n(.*?)\n```\n", text, re.DOTALL)
    assert found
    read: dict[str, Any] = yaml.safe_load(found[1].replace("http://127.0.0.1:2019", caddy.api))
    return read


def test_an_update_loses_no_request_and_every_host_is_in_again(
    site: LabSite, caddy: Caddy, plan: dict[str, Any], tmp_path: Path
) -> None:
    with Load(caddy.url, tmp_path / "load") as load:
        ended = update(site, "2.0", **plan)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.column("state") == ["updated"] * 4
    assert ended.column("found") == ["ready"] * 4
    assert sorted(caddy.upstreams()) == ["web1", "web2", "web3", "web4"]
    assert any(version.startswith("web1 2.0") for version in load.report.seen)


def test_a_request_that_takes_its_time_is_answered_to_its_end(
    site: LabSite, caddy: Caddy, plan: dict[str, Any]
) -> None:
    with socket.create_connection(("127.0.0.1", caddy.port)) as link:
        link.sendall(b"GET /stream?6 HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
        assert link.recv(12) == b"HTTP/1.1 200"
        ended = update(site, "2.0", **plan)
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    assert ended.column("state") == ["updated"] * 4
    assert answer.count(b".") == 60


def test_one_that_is_out_before_is_left_out_and_the_floor_counts_it_as_such(
    site: LabSite, caddy: Caddy, plan: dict[str, Any], tmp_path: Path
) -> None:
    remove = plan["balancer"]["command"]["remove"]
    for name in ("web2", "web3"):
        subprocess.run(["sh", "-c", remove], env={**os.environ, "HOST": name}, check=True, timeout=60)
    with Load(caddy.url, tmp_path / "load") as load:
        ended = update(site, "2.0", **plan, floor=2, floor_wait=0)
    assert ended.name == "Stopped"
    nothing_lost(load)
    assert ended.table["web2"]["state"] == "left out, out as it was found"
    assert "only 1 of 3 other servers" in ended.table["web1"]["reason"]
    assert (versions(site), sorted(caddy.upstreams())) == (["1.0"] * 4, ["web1", "web4"])
