"""Load balancers that are asked over HTTP or by commands, and what is common to all kinds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.ports import free_ports
from remotejobs.agent.shell import Shell
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import HostRefused, ProtocolError, TimedOut, UsageError
from remotejobs.inventory import Inventory
from remotejobs.model import Job
from remotejobs.operations.balancers import (
    BalancerStatus,
    Balancing,
    CommandBalancer,
    HttpBalancer,
    Place,
    PoolServer,
    Reach,
    Standing,
)


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
