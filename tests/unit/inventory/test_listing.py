"""`remotejobs inventory` prints what ansible-inventory prints, for whatever the inventory holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remotejobs.cli import main
from remotejobs.inventory import InventoryError, PatternError, Reading, load_inventory
from remotejobs.inventory.listing import graph, host_listing, listing
from remotejobs.inventory.vault.keys import secrets_named
from tests.unit.inventory.test_ini import TEXTS
from tests.unit.inventory.test_same_as_ansible import INVENTORIES
from tests.unit.inventory.test_several import FILES
from tests.unit.inventory.test_vault import encrypted

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Write

AnsibleInventory = Callable[..., str]

VALUES = """
web:
  hosts:
    w1:
      literal: !unsafe "{{ no }}"
      deep: {vars: {x: !unsafe "a", y: [!unsafe "b", {z: !unsafe "c"}]}}
      vars: {k: !unsafe "d"}
      date: 2024-01-02
      time: 2024-01-02 03:04:05
      keys: {3: a, 2.5: b, true: c, ~: d}
      sealed: !vault |
        $ANSIBLE_VAULT;1.1;AES256
        3132
      inventory_hostname: mine
      groups: mine
      role_name: mine
      big: 123456789012345678901234567890
      umlaut: "ä\\u2028\\0"
  vars: {ansible_group_priority: 7, t: "{{ literal }}"}
"""
CASES: dict[str, dict[str, str]] = {
    **{name: files for name, files in INVENTORIES.items() if name != "scalars"},
    **{f"ini: {name}": {"hosts": text, "group_vars/g.yml": "beside: 1\n"} for name, text in TEXTS.items()},
    "values": {"hosts.yml": VALUES},
}


def assert_same(ansible_inventory: AnsibleInventory, sources: list[str], *words: str, password: str = "") -> None:
    named = [word for source in sources for word in ("-i", source)]
    keys = ["--vault-password-file", password] if password else []
    reading = Reading(secrets_named((), [password] if password else [], environment={}))
    inventory = load_inventory(*sources, reading=reading)
    theirs = json.loads(ansible_inventory(*named, *keys, "--list", *words))
    assert listing(inventory) == theirs
    assert "\n".join(graph(inventory)) == ansible_inventory(*named, *keys, "--graph").rstrip("\n")
    for name in list(inventory.hosts)[:1]:
        assert host_listing(inventory, name) == json.loads(ansible_inventory(*named, *keys, "--host", name) or "{}")


@pytest.mark.parametrize("what", list(CASES))
def test_it_is_what_ansible_inventory_prints(what: str, write: Write, ansible_inventory: AnsibleInventory) -> None:
    assert_same(ansible_inventory, [str(write(CASES[what]))])


def test_of_several_with_vaults_it_is_the_same(write: Write, ansible_inventory: AnsibleInventory) -> None:
    more = {"a/group_vars/all/vault.yml": encrypted("v: {w: [secret, '{{ x }}']}\n"), "password": "pw\n"}
    directory = write({**FILES, **more}).parents[1]
    sources = [str(directory / "a" / "hosts"), str(directory / "b"), "w7,w8:22,"]
    assert_same(ansible_inventory, sources, password=str(directory / "password"))


groups = st.sampled_from(["web", "db", "top", "mid"])
names = st.sampled_from(["w1", "w[1:3]", "d1:2200", "x.example.net"])
scalars = st.one_of(
    st.integers(-5, 5), st.booleans(), st.none(), st.sampled_from(["a", "{{ x }}", "yes", "08", "1e3", "", "- a"])
)
values = st.one_of(scalars, st.lists(scalars, max_size=2), st.dictionaries(st.sampled_from(["p", "q"]), scalars))
variables = st.dictionaries(st.sampled_from(["x", "y", "ansible_user"]), values, max_size=2)
yaml_groups = st.fixed_dictionaries(
    {},
    optional={
        "hosts": st.dictionaries(names, variables, min_size=1, max_size=2),
        "vars": variables,
        "children": st.dictionaries(st.sampled_from(["low", "lower"]), st.just({}), max_size=2),
    },
)
yaml_files = st.dictionaries(groups, yaml_groups, min_size=1, max_size=3).map(yaml.safe_dump)
ini_lines = st.tuples(groups, names, st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "b", "[1]"])))
ini_files = st.lists(ini_lines, min_size=1, max_size=3).map(
    lambda lines: "".join(
        f"[{group}]\n{name} {' '.join(f'{k}={v}' for k, v in said.items())}\n[{group}:vars]\nz={name}\n"
        for group, name, said in lines
    )
)
beside = st.dictionaries(
    st.sampled_from(["all.yml", "web.yml", "web/a.yml", "low/v.yml", "db.json"]), variables.map(json.dumps), max_size=3
)
directories = st.fixed_dictionaries(
    {
        "files": st.lists(st.one_of(yaml_files, ini_files), min_size=1, max_size=3),
        "beside": beside,
        "sealed": st.booleans(),
    }
)
fresh = count()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(directories, min_size=1, max_size=2))
def test_whatever_directories_hold_it_is_what_ansible_inventory_prints(
    tmp_path: Path, ansible_inventory: AnsibleInventory, drawn: list[dict[str, Any]]
) -> None:
    sources = []
    (tmp_path / "password").write_text("pw\n")
    for one in drawn:
        directory = tmp_path / str(next(fresh))
        for number, text in enumerate(one["files"]):
            directory.mkdir(exist_ok=True)
            (directory / f"{number}{'.ini' if text.startswith('[') else '.yml'}").write_text(text)
        for name, text in one["beside"].items():
            path = directory / "group_vars" / name
            if not (path.parent / path.parent.name).exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(encrypted(text) if one["sealed"] else text)
        sources.append(str(directory))
    assert_same(ansible_inventory, sources, password=str(tmp_path / "password"))


def test_a_limit_leaves_only_its_hosts(write: Write, ansible_inventory: AnsibleInventory) -> None:
    path = write({"hosts": "[web]\nw1 x=1\nw2\n[db]\nd1\n"})
    theirs = json.loads(ansible_inventory("-i", str(path), "--list", "--limit", "web:!w2"))
    assert listing(load_inventory(path), "web:!w2") == theirs


def test_templates_are_filled_in_only_when_that_is_asked_for(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write({"hosts": "w1 x=1 y='{{ x }}{{ inventory_hostname }}'\n"}))
    assert main(["inventory", "--host", "w1", "-i", path]) == 0
    assert json.loads(capsys.readouterr().out)["y"] == "{{ x }}{{ inventory_hostname }}"
    assert main(["inventory", "--host", "w1", "-i", path, "--templated"]) == 0
    assert json.loads(capsys.readouterr().out)["y"] == "1w1"
    assert main(["inventory", "--graph", "ungrouped", "-i", path]) == 0
    assert capsys.readouterr().out == "@ungrouped:\n  |--w1\n"


def test_what_it_cannot_show_is_named(write: Write) -> None:
    path = write({"hosts": "[web]\nw1\nw2\n", "group_vars/all.yml": encrypted("x: 1\n")})
    inventory = load_inventory(path, reading=Reading(secrets_named(environment={})))
    with pytest.raises(InventoryError, match=r"group_vars/all.yml: is encrypted with ansible-vault, and"):
        listing(inventory)
    with pytest.raises(PatternError, match="no group is named 'wep'.* Did you mean web"):
        graph(inventory, "wep")
    with pytest.raises(PatternError, match="'web' names 2 hosts. Name one host"):
        host_listing(inventory, "web")


def test_a_host_with_the_name_of_a_group_keeps_its_variables_to_itself(write: Write) -> None:
    """Ansible gives them to the group: another host of it would be reached at the address of this one."""
    path = write({"hosts": "[db]\ndb ansible_host=10.0.0.1\nreplica\n"})
    assert host_listing(load_inventory(path), "replica") == {}
