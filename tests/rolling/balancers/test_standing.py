"""How a host was found in its load balancer is remembered in a note, and restored exactly so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.ports import free_ports
from lab.servers.web.haproxy import Haproxy
from remotejobs.agent.shell import Shell
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import HostRefused
from remotejobs.inventory import Inventory, load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.balancers import (
    HaproxyBalancer,
    LoadBalancer,
    Place,
    Reach,
    Standing,
    standing_in,
)
from remotejobs.operations.balancers.haproxy import question
from remotejobs.operations.balancers.haproxy_words import HaproxyServer, restoring
from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.history import StepKind, UpdateHistory, history_of
from remotejobs.operations.rolling.steps import is_restored, put_back, taken_over

NAMES = ("web1", "web2")
LOCAL = Reach(shell=lambda name: Shell(LocalConnection(name)), jobs=lambda name: HostJobs(LocalConnection(name)))


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Haproxy]:
    ports = dict(zip(NAMES, free_ports(2), strict=True))
    options = {"web1": "weight 100", "web2": "weight 10 disabled"}
    with Haproxy(tmp_path / "haproxy", ports, check=False, options=options) as it:
        yield it


@pytest.fixture
def balancer(haproxy: Haproxy) -> LoadBalancer:
    return HaproxyBalancer(hosts=("lb1",), socket=str(haproxy.socket), backend="app").open(LOCAL)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    path = tmp_path / "inventory.yml"
    path.write_text("all:\n  hosts:\n    web1:\n    web2:\n")
    return load_inventory(path)


def standing(*places: Place) -> Standing:
    return Standing(places)


@pytest.mark.parametrize(
    ("line", "found", "words"),
    [
        ("", Place("app/web1", "ready"), "ready"),
        ("set server app/web1 state maint", Place("app/web1", "maint"), "maint"),
        ("set server app/web1 state drain", Place("app/web1", "drain"), "drain"),
        ("set server app/web1 weight 0", Place("app/web1", "ready", 0), "weight 0"),
        ("set server app/web1 weight 40", Place("app/web1", "ready", 40), "weight 40"),
    ],
)
def test_a_server_is_restored_to_the_state_and_weight_in_which_it_was_found(
    haproxy: Haproxy, balancer: LoadBalancer, inventory: Inventory, line: str, found: Place, words: str
) -> None:
    web1 = inventory.hosts["web1"]
    if line:
        haproxy.say(line)
    before = haproxy.say("show servers state").split()[6:12]
    was = balancer.status(web1).standing
    assert was == standing(found)
    assert was.words == words
    balancer.take_out(web1)
    assert balancer.status(web1).inside is False
    status = put_back(balancer, web1, was, within=5, contact_timeout=1)
    assert is_restored(status, was)
    assert (balancer.status(web1).standing, haproxy.say("show servers state").split()[6:12]) == (was, before)


def test_a_weight_that_a_reload_forgot_is_set_again(
    haproxy: Haproxy, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web1 = inventory.hosts["web1"]
    haproxy.say("set server app/web1 weight 40")
    was = balancer.status(web1).standing
    balancer.take_out(web1)
    haproxy.reload(keep_state=False)
    balancer.put_back(web1, was)
    assert balancer.status(web1).standing == was


def test_a_server_that_an_operator_put_into_maintenance_meanwhile_is_left_there(
    haproxy: Haproxy, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web1 = inventory.hosts["web1"]
    was = balancer.status(web1).standing
    balancer.take_out(web1)
    haproxy.say("set server app/web1 state maint")
    status = put_back(balancer, web1, was, within=600, contact_timeout=1)  # it is not waited for
    assert (is_restored(status, was), taken_over(status, was)) == (False, "maint")
    assert haproxy.status("web1") == "MAINT"


def test_a_server_that_haproxy_cfg_disables_is_ready_once_it_was_enabled(
    haproxy: Haproxy, balancer: LoadBalancer, inventory: Inventory
) -> None:
    web2 = inventory.hosts["web2"]
    assert balancer.status(web2).standing == standing(Place("app/web2", "maint"))
    haproxy.say("set server app/web2 state ready")
    assert balancer.status(web2).serves


def test_the_weight_of_a_server_with_an_agent_is_the_agents_own_matter() -> None:
    found = standing(Place("app/web1", "ready", 40))
    plain = HaproxyServer(backend="app", name="web1", status="DRAIN", state="drain")
    assert restoring([plain], found) == "set server app/web1 weight 40;set server app/web1 state ready"
    agent = HaproxyServer(backend="app", name="web1", status="DRAIN", state="drain", agent=True)
    assert restoring([agent], found) == "set server app/web1 state ready"


def test_a_standing_survives_as_one_word_in_the_label_of_a_note() -> None:
    found = standing(Place("lb1:app/web1", "maint"), Place("lb2:app/web1", "ready", 0))
    assert standing_in(found.text) == found
    assert found.words == "maint in lb1:app/web1, weight 0 in lb2:app/web1"
    note = UpdateHistory().next(StepKind.NOTE, "2.0", "1.0", found)
    record = Record(host="web1", jid=note.jid("u"), state=State.SUCCEEDED, label=note.label)
    past = history_of([record], "u")
    assert (past.before, past.found) == ("1.0", found)
    assert past.next(StepKind.DEPLOY, "2.0", "x", standing(Place("a", "ready"))).found == found.text


def test_a_note_of_an_earlier_release_has_no_standing() -> None:
    record = Record(host="web1", jid="rolling-1-note.u", state=State.SUCCEEDED, label="note 2.0, was 1.0")
    past = history_of([record], "u")
    assert (past.before, past.found) == ("1.0", None)


@pytest.mark.parametrize("text", ["", "x", "a=b@", "a=ready;b"])
def test_what_is_no_standing_is_none(text: str) -> None:
    assert standing_in(text) is None


def test_a_level_that_may_set_nothing_is_reported_by_its_name_before_anything_is_touched(tmp_path: Path) -> None:
    ports = dict(zip(NAMES, free_ports(2), strict=True))
    with Haproxy(tmp_path / "haproxy", ports, check=False, level="operator") as haproxy:
        settings = HaproxyBalancer(hosts=("lb1",), socket=str(haproxy.socket))
        with pytest.raises(
            HostRefused, match=r"^lb1: .* has the level operator, which may not set servers.*level admin"
        ):
            settings.open(LOCAL).check()


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []


def asked_as_another_user(socket: Path) -> subprocess.CompletedProcess[str]:
    """Ask as a user whom file modes hold back, which they do not root."""
    return subprocess.run([*NOBODY, "sh"], input=question(str(socket), "show info"), capture_output=True, text=True)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may enter, unlike those of pytest."""
    directory = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def test_a_socket_that_may_not_be_written_to_and_a_directory_that_may_not_be_entered_are_told_apart(
    public: Path,
) -> None:
    ports = dict(zip(NAMES, free_ports(2), strict=True))
    with Haproxy(public / "haproxy", ports, check=False) as haproxy:
        haproxy.directory.chmod(0o755)
        haproxy.socket.chmod(0o400)
        refused = asked_as_another_user(haproxy.socket)
        assert (refused.returncode, refused.stdout) == (5, f"its user may not write to the socket {haproxy.socket}\n")
        haproxy.directory.chmod(0o000)
        refused = asked_as_another_user(haproxy.socket)
        assert (refused.returncode, refused.stdout) == (
            5,
            f"its user may not enter the directory {haproxy.directory}\n",
        )
        haproxy.directory.chmod(0o755)
        (haproxy.directory / "file").touch(0o666)
        refused = asked_as_another_user(haproxy.directory / "file")
        assert (refused.returncode, refused.stdout) == (6, f"{haproxy.directory}/file is no socket\n")
        gone = asked_as_another_user(haproxy.directory / "none" / "none.sock")
        assert (gone.returncode, gone.stdout) == (3, f"there is no socket {haproxy.directory}/none/none.sock\n")


def test_a_forbidden_socket_is_a_refusal_of_the_balancers_host_and_not_silence(
    haproxy: Haproxy, inventory: Inventory
) -> None:
    settings = HaproxyBalancer(hosts=("lb1",), socket=str(haproxy.directory / "haproxy.cfg"))
    with pytest.raises(HostRefused, match=r"^lb1: .*haproxy.cfg is no socket"):
        settings.open(LOCAL).status(inventory.hosts["web1"])


def test_a_floor_of_a_backend_that_the_balancer_cannot_show_is_refused_with_the_remedy() -> None:
    plan = {
        "version": "2.0",
        "deploy": "true",
        "revert": "nothing",
        "health": {"url": "http://127.0.0.1:9/"},
        "balancer": {"kind": "command", "command": {"remove": "true", "add": "true"}},
    }
    with pytest.raises(ValidationError, match="does not report the servers of its backend; set floor_of to hosts"):
        Update.model_validate(plan)
    for remedy in ({"floor_of": "hosts"}, {"floor": 0}):
        assert Update.model_validate(plan | remedy).balancer.kind == "command"
