"""Several inventories are one: merged in the order in which they are named, as Ansible merges them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remotejobs.errors import UsageError
from remotejobs.inventory import Reading, inventory_paths, load_inventory

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Ansible, Write

FILES = {
    "a/hosts": "[web]\nw1 x=a y=a\nw2\n[web:vars]\nz=a\n[top:children]\nweb\n",
    "a/group_vars/web.yml": "v: a-web\nu: a-web\n",
    "a/group_vars/top.yml": "v: a-top\n",
    "a/host_vars/w1.yml": "h: a\n",
    "b/hosts.yml": "web: {hosts: {w1: {x: b}, w3: }, vars: {z: b}}\ndb: {hosts: {w1: , d1: }}\n",
    "b/group_vars/top.yml": "v: b-top\nt: b-top\n",
    "b/group_vars/all.yml": "u: b-all\ns: b-all\n",
    "b/host_vars/w1.yml": "h: b\n",
    "play/group_vars/all.yml": "s: play-all\nu: play-all\n",
    "play/group_vars/web.yml": "t: play-web\n",
    "play/host_vars/d1.yml": "h: play\n",
}
SOURCES = [
    ["a/hosts", "b/hosts.yml"],
    ["b/hosts.yml", "a/hosts"],
    ["a", "b"],
    ["a", "b", "a"],
    ["a/hosts", "w9,w1,"],
    ["w9,w1:22,", "b"],
]


def assert_same(sources: list[str], ansible: type[Ansible], playbook_dir: Path | None = None) -> None:
    inventory = load_inventory(*sources, reading=Reading(playbook_dir=playbook_dir))
    theirs = ansible(sources, playbook_dir=playbook_dir)
    assert list(inventory.hosts) == theirs.hosts
    assert {name: set(hosts) for name, hosts in inventory.groups.items()} == theirs.groups
    for host in inventory.hosts.values():
        assert dict(host.variables) == theirs.variables(host.name)


def named(directory: Path, sources: list[str]) -> list[str]:
    return [source if "," in source else str(directory / source) for source in sources]


@pytest.mark.parametrize("sources", SOURCES, ids=" ".join)
@pytest.mark.parametrize("beside_a_playbook", [False, True])
def test_they_are_merged_as_ansible_merges_them(
    sources: list[str], beside_a_playbook: bool, write: Write, ansible: type[Ansible]
) -> None:
    directory = write(FILES).parents[1]
    assert_same(named(directory, sources), ansible, directory / "play" if beside_a_playbook else None)


parts = st.tuples(
    st.sampled_from(["web", "db", "top"]),
    st.sampled_from(["w1", "w2", "d1"]),
    st.sampled_from(["", "x=1", "x=2 y=3", "z=4"]),
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(parts, min_size=1, max_size=4), min_size=2, max_size=3), st.booleans())
def test_whatever_they_say_they_are_merged_as_ansible_merges_them(
    tmp_path: Path, ansible: type[Ansible], files: list[list[tuple[str, str, str]]], nested: bool
) -> None:
    sources = []
    for number, lines in enumerate(files):
        path = tmp_path / f"{number}.ini"
        text = "".join(f"[{group}]\n{host} {said}\n[{group}:vars]\nx={number}\n" for group, host, said in lines)
        path.write_text(text + (f"[p{number}:children]\n{lines[0][0]}\n" if nested else ""))
        sources.append(str(path))
    assert_same(sources, ansible)


def test_an_error_names_all_of_them(write: Write) -> None:
    path = write({"a": "w1\n", "b": "w2\n"})
    inventory = load_inventory(path, path.with_name("b"))
    with pytest.raises(UsageError, match=rf"in {path}, {path.with_name('b')}"):
        inventory.select("nobody")


def test_none_is_an_error() -> None:
    with pytest.raises(UsageError, match="no inventory is named"):
        load_inventory()


def test_the_environment_names_several_as_for_ansible(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    a = write({"a": "w1\n", "b": "w2\n"})
    monkeypatch.delenv("REMOTEJOBS_INVENTORY", raising=False)
    monkeypatch.setenv("ANSIBLE_INVENTORY", f"{a},{a.with_name('b')}")
    assert list(load_inventory(*inventory_paths()).hosts) == ["w1", "w2"]
    assert inventory_paths(["c"]) == ("c",)
    monkeypatch.setenv("ANSIBLE_INVENTORY", "h1,h2")
    assert list(load_inventory(*inventory_paths()).hosts) == ["h1", "h2"]
    monkeypatch.setenv("REMOTEJOBS_INVENTORY", str(a))
    assert inventory_paths() == (str(a),)


def test_a_directory_of_a_playbook_that_is_not_there_is_an_error(write: Write) -> None:
    with pytest.raises(UsageError, match="/no/such is no directory. Name the playbook's directory"):
        load_inventory(write({"hosts": "w1\n"}), reading=Reading(playbook_dir=Path("/no/such")))


def test_variables_beside_a_playbook_that_are_not_read_are_named(
    write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(
        {"inv/hosts": "w1\n", "group_vars/all.yml": "ansible_user: deploy\nx: 1\n", "host_vars/w1.yml": "y: 1\n"}
    )
    monkeypatch.chdir(path.parents[1])
    assert "ansible_user" not in load_inventory(path).hosts["w1"].variables
    (record,) = caplog.records
    assert (
        f"{path.parents[1]}/group_vars is not read, and sets ansible_user: give --playbook-dir ." in record.getMessage()
    )
    caplog.clear()
    reading = Reading(playbook_dir=Path())
    assert load_inventory(path, reading=reading).hosts["w1"].variables["ansible_user"] == "deploy"
    assert not caplog.records
