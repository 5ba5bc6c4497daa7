"""Servers that HAProxy gives fewer requests, or none, by itself: by an agent's word, or in slow start. Under load."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.load import Load
from lab.servers.web.site import WEB, LabSite
from remotejobs.prefect.tasks.connections import connections
from tests.awaiting import await_true
from tests.rolling.conftest import nothing_lost, update
from tests.rolling.site_state import statuses, versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Agent(socketserver.ThreadingTCPServer):
    """What `agent-check` asks: it answers each connection with the word `said`."""

    daemon_threads = True

    def __init__(self, said: str) -> None:
        self.said = said
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def option(self) -> str:
        """The words of a server's line in haproxy.cfg."""
        return f"agent-check agent-port {self.server_address[1]} agent-inter 100ms"


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Agent)
        self.request.sendall(f"{self.server.said}\n".encode())


@contextmanager
def agent(said: str) -> Iterator[Agent]:
    with Agent(said) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def site_with(directory: Path, options: dict[str, str]) -> Iterator[LabSite]:
    with LabSite(directory / "site", options=options) as site:
        yield site
        connections().close()


@pytest.mark.usefixtures("prefect_server")
def test_a_host_that_its_agent_drains_is_left_out_and_drains_still(tmp_path: Path) -> None:
    with agent("up ready") as agent2, site_with(tmp_path, {"web2": agent2.option}) as site:
        agent2.said = "drain"
        site.haproxy.await_status("web2", "DRAIN")
        with Load(site.haproxy.url, tmp_path / "load") as load:
            ended = update(site, "2.0")
        assert ended.name == "Completed"
        nothing_lost(load)
        assert ended.column("found") == ["ready", "drain", "ready", "ready"]
        assert ended.table["web2"]["state"] == "left out, drain as it was found"
        assert (versions(site), statuses(site)) == (["2.0", "1.0", "2.0", "2.0"], ["UP", "DRAIN", "UP", "UP"])


@pytest.mark.usefixtures("prefect_server")
def test_a_weight_that_an_agent_sets_is_what_it_was_and_counts_for_no_more_than_it_is(tmp_path: Path) -> None:
    with agent("up ready") as other, site_with(tmp_path, dict.fromkeys(WEB[1:], other.option)) as site:
        other.said = "30%"
        await_true(lambda: [site.haproxy.weight(name) for name in WEB] == ["100", "30", "30", "30"])
        with Load(site.haproxy.url, tmp_path / "load") as load:
            refused = update(site, "2.0", hosts="web1", floor=2, floor_wait=0)
            ended = update(site, "2.0", hosts="web2", floor=1)
        assert refused.name == "Stopped"
        assert (
            "only 0.9 of 3 other servers of app on lb1 serve, 2 must, not web2 (weight 30 of 100)"
            in (refused.table["web1"]["reason"])
        )
        assert ended.name == "Completed"
        nothing_lost(load)
        assert ended.table["web2"]["found"] == "weight 30"
        assert (site.haproxy.weight("web2"), statuses(site)) == ("30", ["UP"] * 4)


@pytest.mark.usefixtures("prefect_server")
def test_servers_in_slow_start_count_for_the_little_that_they_get_by_now(tmp_path: Path) -> None:
    with site_with(tmp_path, dict.fromkeys(WEB[1:], "slowstart 600s")) as site:
        for name in WEB[1:]:
            site.applications[name].die()
            site.haproxy.await_status(name, "DOWN")
            site.applications[name].start()
            site.haproxy.await_status(name, "UP")
        assert int(site.haproxy.weight("web2")) < 50
        with Load(site.haproxy.url, tmp_path / "load") as load:
            ended = update(site, "2.0", hosts="web1", floor=1, floor_wait=0)
        assert ended.name == "Stopped"
        nothing_lost(load)
        assert "of 3 other servers of app on lb1 serve, 1 must, not web2 (weight " in ended.table["web1"]["reason"]
        assert versions(site) == ["1.0"] * 4
