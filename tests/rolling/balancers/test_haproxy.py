"""HAProxy as a load balancer: what it is told and what it answers, with the real program."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.ports import free_ports
from lab.servers.web.haproxy import Haproxy
from remotejobs.agent.shell import Shell
from remotejobs.connections.base import Reply
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import HostRefused, TimedOut, Unreachable
from remotejobs.inventory import Inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.operations.balancers import (
    HaproxyBalancer,
    LoadBalancer,
    Reach,
)
from remotejobs.operations.balancers.haproxy import question
from remotejobs.operations.balancers.haproxy_words import QUERY, HaproxyServer, draining, parse, status_of


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Haproxy]:
    # Nothing checks these servers: they are up for HAProxy, and are not checked.
    ports = free_ports(2)
    with Haproxy(
        tmp_path_factory.mktemp("haproxy"), dict(zip(["web1", "web2"], ports, strict=True)), check=False
    ) as it:
        yield it


@pytest.fixture
def balancer(haproxy: Haproxy, reach: Reach) -> LoadBalancer:
    return HaproxyBalancer(hosts=("lb1",), socket=str(haproxy.socket), backend="app").open(reach)


def test_haproxy_drains_one_server_and_makes_it_ready_again(balancer: LoadBalancer, inventory: Inventory) -> None:
    web1, web2 = inventory.select("all")
    balancer.take_out(web1)
    balancer.take_out(web1)  # once more does no harm
    assert (balancer.status(web1).inside, balancer.status(web1).connections) == (False, 0)
    assert balancer.status(web2).serves
    balancer.put_back(web1)
    assert balancer.status(web1).serves


def test_haproxy_puts_a_server_in_whatever_kept_it_out(
    haproxy: Haproxy, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web1 = inventory.hosts["web1"]
    for kept_out in ("state maint", "state drain", "weight 0"):
        haproxy.say(f"set server app/web1 {kept_out}")
        found = balancer.status(web1).standing
        assert found
        assert found.out
        balancer.put_in(web1)
        assert balancer.status(web1).serves
        balancer.take_out(web1)
        balancer.put_back(web1, found)
        assert balancer.status(web1).standing == found
        balancer.put_in(web1)


def test_a_server_that_haproxy_does_not_have_is_named_with_those_it_has(
    haproxy: Haproxy, reach: Reach, inventory: Inventory
) -> None:
    settings = HaproxyBalancer(hosts=("lb1",), socket=str(haproxy.socket), backend="app", server="app-{host}")
    with pytest.raises(HostRefused, match="no server app/app-web1.* app/web1, app/web2"):
        settings.open(reach).take_out(inventory.hosts["web1"])


class Silent(LocalConnection):
    """The connection to a host that is switched off."""

    def ask(self, *_: object, **__: object) -> Reply:
        raise TimedOut(self.host, "did not answer")


def test_of_a_pair_the_one_that_answers_gets_the_command_though_the_other_does_not_answer(
    haproxy: Haproxy, inventory: Inventory, balancer: LoadBalancer
) -> None:
    connections = {"lb1": LocalConnection("lb1"), "lb2": Silent("lb2")}
    reach = Reach(shell=lambda name: Shell(connections[name]), jobs=lambda name: HostJobs(connections[name]))
    pair = HaproxyBalancer(hosts=("lb2", "lb1"), socket=str(haproxy.socket)).open(reach)
    web1 = inventory.hosts["web1"]
    balancer.take_out(web1)
    with pytest.raises(TimedOut, match="lb2"):
        pair.put_back(web1)
    assert balancer.status(web1).serves


def test_a_socket_that_is_not_there_may_come_back_and_is_named_with_the_remedy(
    reach: Reach, inventory: Inventory
) -> None:
    settings = HaproxyBalancer(hosts=("lb1",), socket="/run/none.sock")
    with pytest.raises(Unreachable, match=r"no socket /run/none.sock.* `stats socket`"):
        settings.open(reach).status(inventory.hosts["web1"])


def test_a_socket_at_which_nothing_listens_may_come_back_and_is_reported_as_such(
    reach: Reach, inventory: Inventory, tmp_path: Path
) -> None:
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    settings = HaproxyBalancer(hosts=("lb1",), socket=str(path))
    with pytest.raises(Unreachable, match=r"refused.*HAProxy may be starting anew"):
        settings.open(reach).status(inventory.hosts["web1"])


TOOLS = {"socat": "socat", "nc": "nc", "perl": "perl", "python3": sys.executable}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_socket_is_talked_to_with_any_one_of_the_usual_tools(haproxy: Haproxy, tool: str, tmp_path: Path) -> None:
    said = asked_with(haproxy, tmp_path, tool)
    assert {server.name for server in parse(said.stdout)} == {"web1", "web2"}


def test_without_any_of_the_tools_they_are_named(haproxy: Haproxy, tmp_path: Path) -> None:
    said = asked_with(haproxy, tmp_path)
    assert (said.returncode, said.stdout) == (4, "none of socat, nc with -U, perl and python3 is there\n")


def asked_with(haproxy: Haproxy, directory: Path, *tools: str) -> subprocess.CompletedProcess[str]:
    """Ask where no other program is found than grep and `tools`."""
    for name, program in {"grep": "grep", **{tool: TOOLS[tool] for tool in tools}}.items():
        found = shutil.which(program)
        assert found, f"{program} is not installed"
        (directory / name).symlink_to(found)
    script = question(str(haproxy.socket), QUERY)
    return subprocess.run(
        ["/bin/sh"], input=script, capture_output=True, text=True, env={"PATH": str(directory)}, timeout=60
    )


def test_a_draining_server_whose_checks_fail_is_still_seen_to_drain() -> None:
    stats = "# pxname,svname,qcur,scur,status,weight,bck,\napp,web1,1,2,DOWN,1,0,\n"
    (server,) = parse(f"{stats}\n{STATES.splitlines()[0]}\n2 app 1 web1 8 1 1 0 80\n")
    assert (server.state, server.up, server.connections) == ("drain", False, 3)


@pytest.mark.parametrize("answer", ["", "Permission denied", "# pxname,svname,scur,status,\napp,web1,0,UP,\n"])
def test_an_answer_that_is_none_is_not_believed(answer: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse(answer)


STATS = "# pxname,svname,qcur,scur,status,weight,bck,\nsite,web1,0,0,UP,1,0,\napi,web1,0,0,DRAIN,1,0,\n\n"
_COLUMNS = "be_id be_name srv_id srv_name srv_admin_state srv_uweight srv_iweight srv_agent_state srv_port"
STATES = f"# {_COLUMNS}\n1 site 1 web1 0 1 1 0 80\n2 api 1 web1 8 1 1 0 80\n"


def test_an_answer_that_was_cut_off_is_not_believed() -> None:
    assert [server.state for server in parse(STATS + STATES)] == ["ready", "drain"]
    with pytest.raises(ValueError, match="shorter"):
        parse(STATS + STATES.removesuffix(" 80\n"))


def test_a_host_that_is_out_somewhere_is_out_and_does_not_serve() -> None:
    both = [("", server) for server in parse(STATS + STATES)]
    assert (status_of(both).inside, status_of(both).out, status_of(both).serves) == (True, True, False)
    assert (status_of(both[:1]).out, status_of(both[:1]).serves) == (False, True)


def test_all_servers_of_a_host_get_their_command_in_one_line() -> None:
    servers = [HaproxyServer(backend=backend, name="web1", status="UP") for backend in ("site", "api")]
    assert draining(servers) == "set server site/web1 state drain;set server api/web1 state drain"
