"""nginx as a load balancer: the real one, its file and its reloads."""

from __future__ import annotations

import http.client
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.ports import free_ports
from lab.servers.web.application import Application
from lab.servers.web.nginx import Nginx
from remotejobs.agent.shell import TIMEOUT, Shell, ShellResult
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import HostRefused, Unreachable
from remotejobs.inventory import Inventory, load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.operations.balancers import LoadBalancer, NginxBalancer, PoolServer, Reach
from tests.awaiting import await_true

NAMES = ("web1", "web2", "web3")
LOCAL = Reach(shell=lambda name: Shell(LocalConnection(name)), jobs=lambda name: HostJobs(LocalConnection(name)))


@pytest.fixture(scope="module")
def applications(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Their ports."""
    ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    with ExitStack() as stack:
        for name, port in ports.items():
            stack.enter_context(Application(tmp_path_factory.mktemp(name), port, name, "1.0"))
        yield ports


@pytest.fixture
def nginx(tmp_path: Path, applications: dict[str, int]) -> Iterator[Nginx]:
    with Nginx(tmp_path / "nginx", applications) as nginx:
        yield nginx


@pytest.fixture
def inventory(tmp_path: Path, applications: dict[str, int]) -> Inventory:
    path = tmp_path / "inventory.yml"
    lines = [f"    {name}: {{app_port: {port}}}" for name, port in applications.items()]
    path.write_text("\n".join(["all:", "  hosts:", *lines, ""]))
    return load_inventory(path)


def balancer_of(nginx: Nginx, **others: str) -> LoadBalancer:
    return NginxBalancer.model_validate({"hosts": ["lb1"], **nginx.settings, **others}).open(LOCAL)


@pytest.fixture
def balancer(nginx: Nginx) -> LoadBalancer:
    return balancer_of(nginx)


def answering(nginx: Nginx, requests: int = 30) -> set[str]:
    """The servers that answer so many requests."""
    seen: Counter[str] = Counter()
    for _ in range(requests):
        link = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=10)
        link.request("GET", "/")
        answer = link.getresponse()
        assert answer.status == 200
        seen[answer.read().decode().split('"')[3]] += 1
        link.close()
    return set(seen)


def test_a_server_that_was_taken_out_gets_no_request_from_then_on_and_is_put_back_without_a_trace(
    nginx: Nginx, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web1, before = inventory.hosts["web1"], nginx.file.read_bytes()
    found = balancer.status(web1).standing
    for _ in range(5):
        balancer.take_out(web1)
        assert answering(nginx) == {"web2", "web3"}
        assert (balancer.status(web1).inside, balancer.status(web1).serves) == (False, False)
        balancer.take_out(web1)  # once more does no harm
        balancer.put_back(web1, found)
        assert answering(nginx) == set(NAMES)
    assert balancer.status(web1).standing == found
    assert nginx.file.read_bytes() == before
    assert [path.name for path in nginx.file.parent.iterdir()] == [nginx.file.name]


class Interrupted(Shell):
    """Something else happens once, just after the file was read for the first time."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(LocalConnection("lb1"))
        self._acts = [act]

    def run(self, script: str, *, timeout: float = TIMEOUT) -> ShellResult:
        result = super().run(script, timeout=timeout)
        if self._acts and "\nrj_nginx_read " in script:
            self._acts.pop()()
        return result


def test_what_somebody_else_changes_in_the_file_at_the_same_moment_is_kept(
    nginx: Nginx, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web1, web2 = inventory.hosts["web1"], inventory.hosts["web2"]
    shell = Interrupted(lambda: balancer.take_out(web2))
    reach = Reach(shell=lambda _: shell, jobs=LOCAL.jobs)
    NginxBalancer.model_validate({"hosts": ["lb1"], **nginx.settings}).open(reach).take_out(web1)
    assert [nginx.is_down(name) for name in NAMES] == [True, True, False]
    assert answering(nginx) == {"web3"}


def test_a_request_that_a_worker_from_before_is_still_reading_counts_because_it_may_go_to_any_server(
    nginx: Nginx, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web1, *others = (inventory.hosts[name] for name in NAMES)
    for other in others:
        balancer.take_out(other)
    await_true(lambda: balancer.status(web1).connections == 0)
    with socket.create_connection(("127.0.0.1", nginx.port)) as link:
        link.sendall(b"GET / HTTP/1.1\r\nHost: site\r\n")
        await_true(lambda: link_is_read(nginx, link))
        balancer.put_back(others[0])
        balancer.take_out(web1)
        assert balancer.status(web1).connections == 1
        link.sendall(b"Connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    assert b'"name": "web1"' in answer  # though it is taken out, for that worker does not know it
    await_true(lambda: balancer.status(web1).connections == 0)


def link_is_read(nginx: Nginx, link: socket.socket) -> bool:
    """Whether nginx has taken the connection and read what was sent."""
    port = f":{link.getsockname()[1]:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(
        row[2].endswith(port)
        and row[1].endswith(f":{nginx.port:04X}")
        and row[4].endswith(":00000000")
        and row[9] != "0"
        for row in rows
    )


def test_an_answer_that_is_under_way_counts_to_its_end(
    nginx: Nginx, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web1, *others = (inventory.hosts[name] for name in NAMES)
    for other in others:
        balancer.take_out(other)
    with socket.create_connection(("127.0.0.1", nginx.port)) as link:
        link.sendall(b"GET /stream?600 HTTP/1.1\r\nHost: site\r\n\r\n")
        assert link.recv(12) == b"HTTP/1.1 200"
        balancer.put_back(others[0])
        balancer.take_out(web1)
        assert (balancer.status(web1).connections or 0) >= 1
    await_true(lambda: balancer.status(web1).connections == 0)


def test_one_that_was_found_down_is_left_so_and_can_be_put_in(
    nginx: Nginx, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web3 = inventory.hosts["web3"]
    nginx.file.write_text(nginx.file.read_text().replace(nginx.line("web3"), f"{nginx.line('web3')} down"))
    found = balancer.status(web3).standing
    assert found is not None
    assert (found.out, found.words) == (True, "down")
    balancer.put_back(web3, found)
    assert answering(nginx) == {"web1", "web2"}
    balancer.put_in(web3)
    assert answering(nginx) == set(NAMES)
    balancer.put_back(web3, found)
    assert (balancer.status(web3).standing, answering(nginx)) == (found, {"web1", "web2"})


def test_of_servers_that_are_no_hosts_those_count_that_accept_connections(
    nginx: Nginx, inventory: Inventory, applications: dict[str, int]
) -> None:
    (dead,) = free_ports(1)
    text = nginx.file.read_text()
    nginx.file.write_text(text.replace("    keepalive", f"    server 127.0.0.1:{dead};\n    keepalive"))
    web1, web2 = inventory.hosts["web1"], inventory.hosts["web2"]
    (pool,) = balancer_of(nginx).pools(web1, [web2]) or ()
    assert pool.name == "app on lb1"
    assert pool.others == (
        PoolServer(name=f"127.0.0.1:{applications['web2']}", host="web2"),
        PoolServer(name=f"127.0.0.1:{applications['web3']}"),
        PoolServer(name=f"127.0.0.1:{dead}", share=0, why="accepts no connection"),
    )


def test_what_nginx_does_not_take_is_taken_back_and_quoted(
    nginx: Nginx, balancer: LoadBalancer, inventory: Inventory
) -> None:
    before = nginx.file.read_text()
    nginx.file.write_text(f"{before}wrong;\n")
    with pytest.raises(HostRefused, match='unknown directive "wrong"'):
        balancer.check()
    with pytest.raises(HostRefused, match='unknown directive "wrong"'):
        balancer.take_out(inventory.hosts["web1"])
    assert nginx.file.read_text() == f"{before}wrong;\n"
    assert answering(nginx) == set(NAMES)


def test_what_would_keep_it_from_being_commanded_is_reported_first(nginx: Nginx) -> None:
    balancer_of(nginx).check()
    for wrong, error, words in (
        ({"file": "/etc/none.conf"}, HostRefused, "no file /etc/none.conf"),
        ({"pid_file": "/run/none.pid"}, Unreachable, "no pid file"),
        ({"upstream": "other"}, HostRefused, "has no upstream other"),
        ({"command": "/usr/sbin/no-nginx"}, HostRefused, "not found"),
    ):
        with pytest.raises(error, match=words):
            balancer_of(nginx, **wrong).check()


def test_a_server_that_the_file_does_not_have_is_named_with_those_it_has(nginx: Nginx, inventory: Inventory) -> None:
    with pytest.raises(HostRefused, match=r"no server web1:80.* app/127.0.0.1:"):
        balancer_of(nginx, server="{host}:80").status(inventory.hosts["web1"])
