"""An ansible.cfg is the weakest layer of every host, found where Ansible finds it, and named where it counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remotejobs.cli import main
from remotejobs.connections.become import become_for
from remotejobs.connections.ssh.resolve import resolve
from remotejobs.inventory import InventoryError, Reading, load_inventory
from remotejobs.inventory.listing import listing
from remotejobs.inventory.settings import find_config, read_config
from remotejobs.inventory.vault.keys import secrets_named
from tests.unit.inventory.test_vault import encrypted

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Write

CONFIG = """
[defaults]
inventory = inv ; comment
remote_user = "deploy"
private_key_file = ~/.ssh/fleet
host_key_checking = False
remote_port = 2200
forks = 7
timeout = 12
vault_password_file = password
nocows = 1
[privilege_escalation]
become = True
become_user = app
[ssh_connection]
pipelining = True
ssh_args = -o ServerAliveInterval=5
"""
FILES = {
    "ansible.cfg": CONFIG,
    "inv/hosts": "[web]\nw1\nw2 ansible_ssh_user=own ansible_port=22 ansible_become=no\n",
    "inv/group_vars/all.yml": encrypted("x: 1\n"),
    "password": "pw\n",
}


def test_it_is_weaker_than_the_inventory_under_any_name_of_a_variable(write: Write) -> None:
    config = read_config(write(FILES))
    secrets = secrets_named(environment={"ANSIBLE_VAULT_PASSWORD_FILE": config.vault_password_file})
    inventory = load_inventory(*config.inventories, reading=Reading(secrets, config=config))
    first, second = (resolve(inventory.hosts[name]) for name in ("w1", "w2"))
    assert (first.user, first.port) == ("deploy", 2200)
    assert (second.user, second.port) == ("own", 22)
    become = become_for(inventory.hosts["w1"])
    assert become
    assert become.user == "app"
    assert become_for(inventory.hosts["w2"]) is None
    assert config.forks == 7


@pytest.fixture
def project(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = write(FILES).parent
    monkeypatch.chdir(directory)
    monkeypatch.setenv("HOME", str(directory / "home"))
    for variable in ("ANSIBLE_CONFIG", "ANSIBLE_INVENTORY", "REMOTEJOBS_INVENTORY", "ANSIBLE_VAULT_PASSWORD_FILE"):
        monkeypatch.delenv(variable, raising=False)
    return directory


def test_the_command_line_finds_it_and_says_what_came_from_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["hosts", "w1", "--explain", "--json"]) == 0
    rows = {row["setting"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["User"]["value"] == "deploy"
    assert rows["User"]["place"] == f"{project}/ansible.cfg:4"
    assert rows["Port"]["place"] == f"{project}/ansible.cfg:7"
    assert rows["ConnectTimeout"]["place"] == f"{project}/ansible.cfg:9"
    lines = (project / "ansible.cfg").read_text().splitlines()
    for setting, value, line in (("Become", "yes", "become = True"), ("BecomeUser", "app", "become_user = app")):
        place = f"{project}/ansible.cfg:{lines.index(line) + 1}"
        assert (rows[setting]["value"], rows[setting]["place"]) == (value, place)


def test_it_is_no_variable_of_the_inventory(project: Path) -> None:
    reading = Reading(config=read_config(project / "ansible.cfg"))
    shown = listing(load_inventory("w1,", reading=reading))
    assert shown["_meta"]["hostvars"] == {}


def test_it_is_looked_for_where_ansible_looks(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert find_config() == project / "ansible.cfg"
    (project / "home").mkdir()
    (project / "home" / ".ansible.cfg").write_text("")
    project.chmod(0o777)
    assert find_config() == project / "home" / ".ansible.cfg"
    assert "ansible.cfg is not read: everybody may write to its directory" in caplog.text
    monkeypatch.setenv("ANSIBLE_CONFIG", str(project))
    assert find_config() == project / "ansible.cfg"
    monkeypatch.setenv("ANSIBLE_CONFIG", "/typo.cfg")
    assert find_config() == project / "home" / ".ansible.cfg"
    assert "$ANSIBLE_CONFIG names /typo.cfg, which cannot be read: the next ansible.cfg counts" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hunter2\n", "cfg:1: is not in the form of an ansible.cfg"),
        ("[defaults]\nforks = hunter2\n", "cfg:2: forks must be a whole number from 1 on"),
    ],
)
def test_what_is_wrong_in_it_is_named_and_not_quoted(text: str, said: str, write: Write) -> None:
    with pytest.raises(InventoryError, match=said) as caught:
        read_config(write({"ansible.cfg": text}))
    assert "hunter2" not in str(caught.value)


def test_what_would_change_the_inventory_and_is_not_honoured_is_said(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    text = "[defaults]\nhash_behaviour = merge\nprecedence = all_inventory\n[inventory]\nignore_patterns = old\n"
    path = write({"ansible.cfg": text + "enable_plugins = ini\n"})
    read_config(path)
    said = "is not honoured here: the inventory may say something else than in Ansible"
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}:2: hash_behaviour {said}",
        f"{path}:3: precedence {said}",
        f"{path}:5: ignore_patterns {said}",
    ]
    caplog.clear()
    path.write_text("[defaults]\nhash_behaviour = replace\n")
    read_config(path)
    assert not caplog.records


def test_its_list_of_hosts_or_paths_is_the_inventory(write: Write) -> None:
    path = write({"ansible.cfg": "[defaults]\ninventory = a, b,w9\n", "a": "w1\n", "b": "w2\n"})
    assert list(load_inventory(*read_config(path).inventories).hosts) == ["w1", "w2", "w9"]
