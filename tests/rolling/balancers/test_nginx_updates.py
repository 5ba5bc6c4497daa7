"""Whole updates of a site behind nginx, under load."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.load import Load
from lab.servers.web.nginx import Nginx
from lab.servers.web.site import BALANCER, WEB, LabSite
from tests.awaiting import await_true
from tests.rolling.conftest import nothing_lost, update
from tests.rolling.events import amid_deployment
from tests.rolling.site_state import GATED, close_gates, home, open_gates, versions
from tests.rolling.test_resumed import dead_run, program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def nginx(site: LabSite, tmp_path: Path) -> Iterator[Nginx]:
    with Nginx(tmp_path / "nginx", {name: each.port for name, each in site.applications.items()}) as nginx:
        yield nginx


@pytest.fixture
def load(nginx: Nginx, tmp_path: Path) -> Load:
    return Load(nginx.url, tmp_path / "load")


def behind(nginx: Nginx) -> dict[str, Any]:
    return {"balancer": {"kind": "nginx", "nginx": {"hosts": [BALANCER], **nginx.settings}}}


def marks(nginx: Nginx) -> list[bool]:
    return [nginx.is_down(name) for name in WEB]


def mark(nginx: Nginx, *names: str) -> None:
    text = nginx.file.read_text()
    for name in names:
        text = text.replace(nginx.line(name), f"{nginx.line(name)} down")
    nginx.file.write_text(text)
    nginx.reload()


@pytest.mark.parametrize("serial", [1, 2])
def test_an_update_loses_no_request_and_leaves_the_file_as_it_was(
    site: LabSite, nginx: Nginx, load: Load, serial: int
) -> None:
    before = nginx.file.read_bytes()
    with load:
        ended = update(site, "2.0", serial=serial, **behind(nginx))
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.column("state") == ["updated"] * 4
    assert nginx.file.read_bytes() == before
    assert {f"{name} {version}" for name in WEB for version in ("1.0", "2.0")} == set(load.report.seen)


def test_a_host_that_was_down_before_is_left_so(site: LabSite, nginx: Nginx, load: Load) -> None:
    mark(nginx, "web2")
    with load:
        ended = update(site, "2.0", **behind(nginx))
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web2"]["state"] == "left out, down as it was found"
    assert versions(site) == ["2.0", "1.0", "2.0", "2.0"]
    assert marks(nginx) == [False, True, False, False]


def test_servers_outside_the_pattern_that_are_gone_do_not_count(site: LabSite, nginx: Nginx) -> None:
    for name in ("web2", "web3", "web4"):
        site.applications[name].die()
    mark(nginx, "web4")
    ended = update(site, "2.0", hosts="web1", floor_wait=0, **behind(nginx))
    assert ended.name == "Stopped"
    assert "only 0 of 3 other servers of app on lb1 serve, 2 must" in ended.table["web1"]["reason"]
    assert (versions(site)[0], nginx.is_down("web1")) == ("1.0", False)


def test_a_spare_host_is_put_in_first_and_marked_again_in_the_end(site: LabSite, nginx: Nginx, load: Load) -> None:
    mark(nginx, "web4")
    before = nginx.file.read_bytes()
    with load:
        ended = update(site, "2.0", spare="web4", **behind(nginx))
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web4"]["state"] == "updated, down as it was found"
    assert (nginx.file.read_bytes(), versions(site)) == (before, ["2.0"] * 4)


def test_a_host_that_another_reload_brought_back_is_taken_out_again(site: LabSite, nginx: Nginx, load: Load) -> None:
    text = nginx.file.read_text()

    def bring_back() -> None:
        nginx.file.write_text(text)  # as a configuration management does; before a reload nothing has happened yet
        await_true(lambda: nginx.is_down("web2"))

    with load, amid_deployment(site, "web2", bring_back):
        ended = update(site, "2.0", deploy=GATED, **behind(nginx))
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web2"]["state"] == "updated, was drained again (1)"


def test_an_update_whose_controller_was_killed_goes_on_and_loses_nothing(
    site: LabSite, nginx: Nginx, load: Load, tmp_path: Path
) -> None:
    before = nginx.file.read_bytes()
    plan: dict[str, Any] = {"deploy": GATED, **behind(nginx)}
    close_gates(site, "web1")
    with load:
        with subprocess.Popen(**program(site, tmp_path, **plan)) as controller:
            await_true((home(site, "web1") / "started").exists)
            controller.kill()
        assert nginx.is_down("web1")
        open_gates(site, "web1")
        ended = update(site, "2.0", **plan, resume_from=dead_run())
    assert ended.name == "Completed"
    nothing_lost(load)
    assert (nginx.file.read_bytes(), versions(site)) == (before, ["2.0"] * 4)


def test_a_request_that_takes_its_time_is_answered_to_its_end(site: LabSite, nginx: Nginx) -> None:
    with socket.create_connection(("127.0.0.1", nginx.port)) as link:
        link.sendall(b"GET /stream?4 HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
        assert link.recv(12) == b"HTTP/1.1 200"
        ended = update(site, "2.0", **behind(nginx))
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    assert ended.column("state") == ["updated"] * 4
    assert answer.count(b"1\r\n.\r\n") == 40
