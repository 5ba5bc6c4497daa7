"""Each kind of load balancer, with the real thing where there is one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.ports import free_ports
from lab.servers.web.haproxy import Haproxy
from remotejobs.agent.shell import Shell
from remotejobs.connections.base import Reply
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import HostRefused, ProtocolError, TimedOut, Unreachable, UsageError
from remotejobs.inventory import Inventory, load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job
from remotejobs.operations.balancers import (
    BalancerStatus,
    Balancing,
    CommandBalancer,
    HaproxyBalancer,
    HttpBalancer,
    LoadBalancer,
    Place,
    PoolServer,
    Reach,
    Standing,
)
from remotejobs.operations.balancers.haproxy import question
from remotejobs.operations.balancers.haproxy_words import QUERY, HaproxyServer, draining, parse, status_of

HOSTS = "all:\n  hosts:\n    web1: {ansible_host: 192.0.2.1, app_port: 8080}\n    web2:\n"


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    path = tmp_path / "inventory.yml"
    path.write_text(HOSTS)
    return load_inventory(path)


@pytest.fixture
def reach(tmp_path: Path) -> Reach:
    """The balancer's host is this machine."""
    return Reach(
        shell=lambda name: Shell(LocalConnection(name)),
        jobs=lambda name: HostJobs(LocalConnection(name), directory=str(tmp_path / "jobs")),
    )


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


class Web(BaseHTTPRequestHandler):
    """A load balancer with a web interface; the server's `asked` are its requests."""

    def answer(self) -> None:
        asked: list[str] = self.server.asked  # type: ignore[attr-defined]
        asked.append(f"{self.command} {self.path}")
        self.send_response(500 if "web2" in self.path else 200)
        self.end_headers()
        self.wfile.write(b'{"state": "in", "healthy": true, "active": 7}')

    do_GET = do_POST = answer  # noqa: N815 - the names are http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on the terminal."""


@pytest.fixture
def web() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def http_balancer(web: ThreadingHTTPServer) -> HttpBalancer:
    url = f"http://127.0.0.1:{web.server_port}"
    return HttpBalancer(
        remove=f"{url}/remove?host={{host}}",
        add=f"{url}/add?to={{ansible_host}}:{{app_port}}",
        status=f"{url}/status/{{host}}",
        inside='"state": "in"',
        up='"healthy": true',
        connections='"active": (\\d+)',
    )


def test_an_http_balancer_is_asked_at_its_urls(web: ThreadingHTTPServer, reach: Reach, inventory: Inventory) -> None:
    balancer, web1 = http_balancer(web).open(reach), inventory.hosts["web1"]
    balancer.take_out(web1)
    balancer.put_back(web1)
    status = balancer.status(web1)
    assert web.asked == [  # type: ignore[attr-defined]
        "POST /remove?host=web1",
        "POST /add?to=192.0.2.1:8080",
        "GET /status/web1",
    ]
    assert (status.inside, status.up, status.connections) == (True, True, 7)


def test_an_http_balancer_that_says_no_is_quoted(web: ThreadingHTTPServer, reach: Reach, inventory: Inventory) -> None:
    with pytest.raises(HostRefused, match=r"answered POST .*/remove\?host=web2 with 500"):
        http_balancer(web).open(reach).take_out(inventory.hosts["web2"])


def test_a_variable_that_a_host_lacks_is_found_out_by_a_check(
    web: ThreadingHTTPServer, reach: Reach, inventory: Inventory
) -> None:
    with pytest.raises(UsageError, match="web2: .* needs the variable ansible_host"):
        http_balancer(web).open(reach).status(inventory.hosts["web2"])


def test_an_http_balancer_that_is_not_there_is_unreachable(reach: Reach, inventory: Inventory) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}/"
    with pytest.raises(TimedOut, match="Connection refused"):
        HttpBalancer(remove=url, add=url).open(reach).take_out(inventory.hosts["web1"])


def test_a_command_balancer_runs_its_commands_with_the_host_in_their_environment(
    reach: Reach, inventory: Inventory, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    balancer = CommandBalancer(
        remove=f'echo "remove $HOST $ADDRESS" >>{said}',
        add=f'echo "add $HOST $ADDRESS" >>{said}',
        address="{ansible_host}:{app_port}",
    ).open(reach)
    balancer.take_out(inventory.hosts["web1"])
    balancer.put_back(inventory.hosts["web1"])
    assert said.read_text().splitlines() == ["remove web1 192.0.2.1:8080", "add web1 192.0.2.1:8080"]


def test_a_command_that_a_killed_controller_left_running_does_not_have_the_last_word(
    reach: Reach, inventory: Inventory, tmp_path: Path
) -> None:
    said, added, web1 = tmp_path / "said", tmp_path / "added", inventory.hosts["web1"]
    late = f"n=0; until [ -e {added} ] || [ $n = 20 ]; do sleep 0.1; n=$((n+1)); done; echo remove >>{said}"
    settings = CommandBalancer(remove="true", add=f"echo add >>{said}; touch {added}")
    reach.jobs("localhost").start(Job(jid="balancer-remove.left", cmd=late, label="balancer remove web1"))
    settings.open(reach).put_back(web1)
    assert said.read_text().split() == ["remove", "add"]


def test_a_command_balancer_that_fails_is_quoted(reach: Reach, inventory: Inventory) -> None:
    balancer = CommandBalancer(remove="echo no such pool >&2; exit 7", add="true").open(reach)
    with pytest.raises(HostRefused, match="remove command for web1 ended as failed, rc 7: no such pool"):
        balancer.take_out(inventory.hosts["web1"])


STATUS = """\
web1 in 3 up
192.0.2.9:80 maint - down
spare in backup

web2 out 0
"""


def test_a_status_command_says_how_every_server_stands(reach: Reach, inventory: Inventory, tmp_path: Path) -> None:
    said, web1, web2 = tmp_path / "said", inventory.hosts["web1"], inventory.hosts["web2"]
    said.write_text(STATUS)
    status = f'[ "$HOST $ADDRESS" = "web1 web1" ] && cat {said} || echo $HOST $ADDRESS; '
    balancer = CommandBalancer(remove="true", add="true", status=status).open(reach)
    assert balancer.status(web1) == BalancerStatus(
        inside=True, up=True, connections=3, standing=Standing((Place("", "ready"),))
    )
    (pool,) = balancer.pools(web1, [web2]) or ()
    assert pool.others == (
        PoolServer(name="192.0.2.9:80", share=0, why="maint", out=True),
        PoolServer(name="spare", backup=True),
        PoolServer(name="web2", host="web2", share=0, why="out", out=True),
    )


def test_a_host_of_the_update_that_the_status_command_does_not_name_counts_as_out(
    reach: Reach, inventory: Inventory
) -> None:
    balancer = CommandBalancer(remove="true", add="true", status="echo web1 in").open(reach)
    (pool,) = balancer.pools(inventory.hosts["web1"], [inventory.hosts["web2"]]) or ()
    assert pool.others == (PoolServer(name="web2", host="web2", share=0, why="not named", out=True),)
    with pytest.raises(HostRefused, match="does not name web2.* web1, or let it print"):
        balancer.status(inventory.hosts["web2"])


@pytest.mark.parametrize("line", ["web1", "web1 in many", "web1 in 3 sideways", "web1 in \N{ARABIC-INDIC DIGIT THREE}"])
def test_a_status_that_is_not_understood_is_not_believed(reach: Reach, inventory: Inventory, line: str) -> None:
    balancer = CommandBalancer(remove="true", add="true", status=f"echo '{line}'").open(reach)
    with pytest.raises(ProtocolError, match="status command printed 'web1"):
        balancer.status(inventory.hosts["web1"])


def test_a_status_command_that_fails_is_quoted(reach: Reach, inventory: Inventory) -> None:
    balancer = CommandBalancer(remove="true", add="true", status="echo web1 in; echo no api >&2; exit 7").open(reach)
    with pytest.raises(HostRefused, match=r"rc 7: web1 in\nno api"):
        balancer.status(inventory.hosts["web1"])


def test_a_kind_whose_section_is_empty_is_refused() -> None:
    with pytest.raises(ValidationError, match="http needs remove and add"):
        Balancing.model_validate({"kind": "http"})
    assert Balancing().kind == "none"


def test_a_short_question_brings_back_output_and_exit_code() -> None:
    said = Shell(LocalConnection("here")).run("printf 'one\\n\\ntwo'; echo three >&2; exit 9")
    assert (said.rc, said.output) == (9, "one\n\ntwothree\n")
