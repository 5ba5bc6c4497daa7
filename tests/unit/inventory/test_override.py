"""A login from outside of the inventory counts more than all of it, and nothing is read that is not needed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remotejobs.cli import main
from remotejobs.cli.main import parse
from remotejobs.cli.target import Target
from remotejobs.inventory import InventoryError, load_inventory
from remotejobs.inventory.override import with_login
from remotejobs.inventory.variables import text
from tests.unit.inventory.test_vault import inline

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Write

HOSTS = "web: {hosts: {w1: {ansible_user: own, broken: '{{ nobody }}', port: 22}}}\n"


def test_a_login_wins_and_what_nobody_needs_may_be_wrong_or_locked(write: Write) -> None:
    path = write({"hosts.yml": f"web:\n  hosts:\n    w1:\n      broken: '{{{{ nobody }}}}'\n      pin: {inline('x')}"})
    (host,) = with_login(load_inventory(path).hosts.values(), "deploy", "hunter2", "--user")
    assert text(host, "ansible_user", "ansible_ssh_user") == "deploy"
    assert text(host, "ansible_password", "ansible_ssh_password") == "hunter2"
    assert set(host.variables) == {"broken", "pin", "ansible_ssh_user", "ansible_ssh_password"}
    assert len(host.variables) == 4
    assert "hunter2" not in f"{host} {host.variables}"
    with pytest.raises(InventoryError, match="'nobody' is undefined"):
        host.variables["broken"]


def test_without_a_login_the_hosts_are_the_same(write: Write) -> None:
    host = load_inventory(write({"hosts.yml": HOSTS})).hosts["w1"]
    assert with_login([host], None, None, "nobody")[0].variables is host.variables


def test_the_command_line_names_its_login_as_the_place(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write({"hosts": "w1 ansible_user=own\nw2 ansible_ssh_user=other\n"})
    users = []
    for words in (["-u", "deploy"], []):
        assert main(["hosts", "all", "-i", str(path), "--explain", "--json", *words]) == 0
        rows = map(json.loads, capsys.readouterr().out.splitlines())
        users += [(row["value"], row["place"]) for row in rows if row["setting"] == "User"]
    assert users == [("deploy", "--user")] * 2 + [("own", "w1: ansible_user"), ("other", "w2: ansible_ssh_user")]


def test_a_command_that_is_printed_has_the_login_and_the_settings_again(write: Write) -> None:
    path = write({"hosts": "w1\n", "my.cfg": "[defaults]\nremote_port = 2200\n"})
    words = ["-i", str(path), "--ansible-config", str(path.with_name("my.cfg")), "-u", "deploy", "-k"]
    target = Target.of(parse(["status", "w1", "jid", *words]))
    assert target.command("status", "jid") == shlex.join(["remotejobs", "status", "w1", "jid", *words])
    (host,) = target.hosts()
    assert text(host, "ansible_ssh_user") == "deploy"
    assert host.variables["ansible_port"] == "2200"


def test_a_dry_run_refuses_what_a_run_would_refuse(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write({"hosts": "w1 ansible_shell_type=powershell\nw2 ansible_ssh_executable=/opt/tsh\n"})
    for host, said in (("w1", "ansible_shell_type is 'powershell'"), ("w2", "ansible_ssh_executable is '/opt/tsh'")):
        assert main(["run", host, "-i", str(path), "--dry-run", "--", "true"]) == 1
        assert said in capsys.readouterr().err


def test_an_ansible_cfg_that_is_named_is_the_only_one(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write({"hosts": "w1\n", "ansible.cfg": "[defaults]\nremote_user = here\n", "my.cfg": "[defaults]\ntimeout = 3\n"})
    monkeypatch.chdir(tmp_path)
    (host,) = Target.of(parse(["status", "w1", "jid", "-i", "hosts", "--ansible-config", "my.cfg"])).hosts()
    assert text(host, "ansible_user") == ""
    assert text(host, "ansible_timeout") == "3"
    with pytest.raises(InventoryError, match="gone.cfg: cannot be read"):
        Target.of(parse(["status", "w1", "jid", "-i", "hosts", "--ansible-config", "gone.cfg"]))
