"""Inventories in INI form are what Ansible reads in them, and what it silently loses is reported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remotejobs.inventory import InventoryError, load_inventory

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Ansible, Write

TEXTS = {
    "hosts before any section": "lone.example.net\n\n[web]\nw1\nw2 ansible_host=10.1.0.2\n[db]\nd1 ansible_port=2200\n",
    "only hosts": "w1\nw2 ansible_connection=local\n",
    "children and variables": (
        "[north]\nn1\nn2\n[south]\ns1\n[region:children]\nnorth\nsouth\n"
        "[region:vars]\nansible_user=ops\nretries=3\nflag=yes\nboole=True\n[all:vars]\nansible_port=2222\n"
    ),
    "children before they are declared": "[top:children]\nlater # soon\n[top:vars]\nx=1\n[later]\nh1\n",
    "children by their children": "[top:children]\nmiddle\n[middle:children]\nlow\n[low]\nh1\n",
    "variables before their group": "[g:vars]\na=1\n[g]\nh1\n",
    "types on a host's line": (
        "[g]\nh1 a=1 b=true c=True d=yes e=08 f=1.5 g=None h=[1,2] i=\"{'k':'v'}\" j='7' k=\"8\" l= m=0x10 n=1_000\n"
    ),
    "more types": "[g]\nh1 a=(1,2) b={1} c=... d=b'x' e=1j f=-3 g=+4 h='[1, {\"a\": (2,)}]' i=0o17 j=1e3 k=\"'q'\"\n",
    "types in variables": (
        "[g]\nh1\n[g:vars]\na=1\nb=true\nc=True\nd='7'\ne=\"8\"\nf=08\ng=[1, 2]\nh={'k': 'v'}\ni=two words\n"
        "j = spaced\nk=x=y\nl=\nm=None\nn='quoted words'\no=[1, two]\np=(1, 2)\n"
    ),
    "comments": (
        "# top\n; also\n[g] # behind\nh1 a=1 # behind\nh2 b=\"x # y\" c='#z' # don't\n#h3\n"
        '[g:vars]\n; no\nd=e # kept\nf="g # h"\nurl=http://x/#frag\n'
    ),
    "a comment in the middle of a word": "[g]\nh1 pw=abc#123 after=lost\n",
    "ranges": "[g]\nw[1:3].lan\nx[01:10:4]\ny-[a:c]-[1:2] ansible_user=r\n",
    "ports and IPv6": (
        "[g]\nh1:2201\nh2:2202 ansible_port=2203\n10.0.0.7:2204\n2001:db8::7\n[2001:db8::8]:2205\n"
        "v6 ansible_host=2001:db8::9\nr[1:2]:2206\n"
    ),
    "options in quotation marks": (
        "[g]\nh1 ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p -q hop@bastion\"'\n"
        "[g:vars]\nansible_ssh_extra_args='-o ServerAliveInterval=15'\n"
        "ansible_ssh_args=-o ControlMaster=auto -o ControlPersist=60s\n"
    ),
    "a host in several groups": "[a]\nh1 x=1 y=1\n[b]\nh1 x=2\nh2\n[c]\nh1\n",
    "dashes and dots": "[web-tier]\nweb-a\n[db.tier]\ndb-a\n[all-tiers:children]\nweb-tier\ndb.tier\n",
    "an empty group": "[web]\nw1\n[canary]\n",
    "a section twice": "[a]\nh1\n[b]\nh2\n[a]\nh3\n[b:vars]\nx=1\n[b:vars]\ny=2\n",
    "priorities": ("[a]\nh1\n[b]\nh1\n[a:vars]\nx=a\nansible_group_priority=10\n[b:vars]\nx=b\n[a:hosts]\nh2\n"),
    "passwords": '[g]\nh1 ansible_become_password=\'p@ss w#rd\' ansible_password="a\\"b"\n[g:vars]\npw=p#ss\n',
    "templates": "[g]\nh1 up=\"{{ name | upper }}\"\n[g:vars]\nname=web\nall_of_them={{ groups.g | join(' ') }}\n",
    "wide spaces": "  [g]  \n\t h1   a=1\tb=2  \n",
    "the groups that are there": "[all]\nh1\n[ungrouped]\nh2\n[all:children]\ng\n[g]\nh3\n",
}


def assert_same(path: Path, theirs: Ansible) -> None:
    inventory = load_inventory(path)
    assert list(inventory.hosts) == theirs.hosts
    assert {name: set(hosts) for name, hosts in inventory.groups.items()} == theirs.groups
    for host in inventory.hosts.values():
        expected = theirs.variables(host.name)
        assert dict(host.variables) == expected
        assert {n: type_of(v) for n, v in host.variables.items()} == {n: type_of(v) for n, v in expected.items()}


def type_of(value: Any) -> object:
    """Ansible's own kinds of str, int and list are as good as Python's."""
    plain = (bool, int, float, str, list, dict, type(None))
    return next(kind for kind in plain if isinstance(value, kind))


@pytest.mark.parametrize("what", list(TEXTS))
@pytest.mark.parametrize("name", ["hosts", "production.ini"])
def test_it_is_what_ansible_reads(what: str, name: str, write: Write, ansible: type[Ansible]) -> None:
    path = write({f"inv/{name}": TEXTS[what], "inv/group_vars/g.yml": "beside: the inventory\n"})
    assert_same(path, ansible(str(path)))


@pytest.mark.parametrize("name", ["hosts", "hosts.ini"])
def test_a_host_with_a_mapping_is_no_yaml_though_it_could_be(name: str, write: Write) -> None:
    """Ansible takes it for YAML where the file has no suffix, and finds no host."""
    host = load_inventory(write({name: "h1 k=\"{'a': 1}\"\n"})).hosts["h1"]
    assert host.variables["k"] == {"a": 1}


@pytest.mark.parametrize("name", ["hosts", "hosts.yml"])
def test_yaml_in_which_ini_is_quoted_stays_yaml(name: str, write: Write, ansible: type[Ansible]) -> None:
    path = write({name: "web:\n  hosts: {w1: }\n  vars:\n    conf: |\n      [mysqld]\n      port = 3306\n"})
    assert_same(path, ansible(str(path)))


@pytest.mark.parametrize("name", ["hosts", "hosts.yml"])
def test_an_empty_group_alone_is_ini_though_it_could_be_a_list(name: str, write: Write, ansible: type[Ansible]) -> None:
    path = write({name: "[canary]\n"})
    assert_same(path, ansible(str(path)))


def test_in_a_directory_both_forms_are_merged(write: Write, ansible: type[Ansible]) -> None:
    files = {
        "inv/01_static.ini": "[web]\nw1 x=ini\nw2\n",
        "inv/02_more.yml": "db: {hosts: {d1: , w1: {x: yaml}}, vars: {ansible_user: dba}}\n",
        "inv/03_last": "[web:vars]\ny=1\n[db]\nd2\n",
        "inv/group_vars/web.yml": "ansible_user: www\n",
        "inv/group_vars/all/a.yml": "ansible_port: 2022\n",
    }
    directory = write(files).parent
    assert_same(directory, ansible(str(directory)))


def test_files_of_a_directory_that_are_no_inventories_are_passed_over_and_named(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = {"Makefile": "all:\n\techo x\n", "ec2.ini": "[ec2]\nregions = all\n", "notes.hcl": "a = 1\n"}
    directory = write({"inv/hosts": "[web]\nw1\n"} | {f"inv/{name}": text for name, text in foreign.items()}).parent
    foreign["logo.png"] = ""
    (directory / "logo.png").write_bytes(b"\x89PNG\xff")
    assert list(load_inventory(directory).hosts) == ["w1"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{directory / name}: passed over, for it is no inventory" for name in sorted(foreign)
    ]


def test_of_settings_that_are_passed_over_ansible_keeps_the_first_sections_as_groups(
    write: Write, ansible: type[Ansible]
) -> None:
    directory = write({"inv/hosts": "[web]\nw1\n", "inv/ec2.ini": "[aws]\n[ec2]\nregions = all\n[cache]\n"}).parent
    assert_same(directory, ansible(str(directory)))


@pytest.mark.parametrize("text", ["[all:vars]\nx = 1\n[web]\nw1\n", "[web]\n[web:vars]\nx = 1\n[db]\nw1\n"])
def test_variables_with_spaces_around_their_sign_are_no_settings_of_a_program(
    text: str, write: Write, ansible: type[Ansible]
) -> None:
    directory = write({"inv/hosts.ini": text, "inv/more": "[web]\nw2\n"}).parent
    assert_same(directory, ansible(str(directory)))


def test_a_file_with_an_error_is_not_passed_over(write: Write) -> None:
    directory = write({"inv/a.ini": "[web]\nw1\n", "inv/b.ini": "[web]\nw2 oops\n"}).parent
    with pytest.raises(InventoryError, match=r"b.ini:2: word 2 of the host's line is no variable"):
        load_inventory(directory)


def test_what_a_comment_in_a_word_swallows_is_said_without_the_value(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    path = write({"hosts": "[g]\nh1 pw=abc#123 after=lost\nh2 x=1 # don't\nh3 y='a#b' # fine\n"})
    assert load_inventory(path).hosts["h1"].variables["pw"] == "abc"
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path}:2: the value of pw ends before its #")
    assert "abc" not in record.getMessage()


WRONG = {
    "an unknown kind of section": ("[g:hots]\n", "1: a section cannot be of the kind 'hots'. Known are :hosts"),
    "spaces in a section": ("[my group]\nh1\n[g]\n", "1: this is no section. Write [group]"),
    "an undeclared child": ("[a]\nh1\n[p:children]\na\nnowhere\n", "5: the group 'nowhere' below 'p' is not declared"),
    "variables of nobody": (
        "[a]\nh1\n[nowhere:vars]\nx=1\n",
        "3: the group 'nowhere' has variables but is not declared",
    ),
    "a circle": ("[a:children]\nb\n[b:children]\na\n", "cannot be below"),
    "no variable": ("[a]\nh1\n[a:vars]\nsecret\n", "4: this is no variable. Write name=value"),
    "no group's name": ("[a:children]\nb c\n[b]\n", "2: this is no name of a group"),
    "an open quotation mark": ("[a]\nh1 x='secret\n", "2: the host's line is not whole: no closing quotation"),
    "a word that is no variable": ("[a]\nh1 x=1 secret\n", "2: word 3 of the host's line is no variable"),
    "a colon without a port": ("[a]\nh1:\n", "2: 'h1:' is no host. Write HOST or HOST:PORT"),
    "a range going down": ("[a]\nh[5:1]\n", "2: the range [5:1] in"),
    "a priority in words": ("[a]\nh1\n[a:vars]\nansible_group_priority=high\n", "must be a whole number"),
    "a variable alone": ("ansible_password=secret\n", "1: the line begins with a variable, and with no host. Write"),
    "the beginning of YAML": ("[a]\n---\n", "2: `---` begins a YAML file"),
    "a program": ("#!/bin/sh\necho '{}'\n", "is a program, but may not be run. chmod +x"),
}


@pytest.mark.parametrize("what", list(WRONG))
def test_an_error_is_named_with_place_and_remedy_and_shows_no_value(what: str, write: Write) -> None:
    text, said = WRONG[what]
    with pytest.raises(InventoryError) as caught:
        load_inventory(write({"hosts": text}))
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.remedy


def test_a_playbook_is_called_one(write: Write) -> None:
    with pytest.raises(InventoryError, match="holds a list, as a playbook does"):
        load_inventory(write({"site.yml": "- hosts: all\n  tasks: []\n"}))


below = st.sampled_from(["a", "b", "c", "d-1"])  # Ansible loses hosts of `ungrouped` when that is below a group
names = st.one_of(below, st.sampled_from(["ungrouped", "all"]))
hosts = st.sampled_from(["h1", "h2", "w[1:2]", "h3:2200", "10.0.0.1", "x.example.net", "[2001:db8::1]:22"])
values = st.sampled_from(
    ["1", "true", "True", "08", "0x1F", "1.50", "None", "[1, 'b']", "{'a': 1}", "(1, 2)", "x y", "'q'", "a=b", "",
     "http://x/#f", "$HOME", "ä", "\\", "1_0", "1.", "nan", "!x", "- a", "yes", '"d"']
)  # fmt: skip
keys = st.sampled_from(["k", "l", "ansible_user", "m"])
assignments = st.tuples(keys, values)


def quoted(assignment: tuple[str, str]) -> str:
    name, value = assignment
    return f'{name}="{value}"' if '"' not in value and "\\" not in value else f"{name}=1"


host_lines = st.tuples(hosts, st.lists(assignments, max_size=3)).map(
    lambda line: " ".join([line[0], *map(quoted, line[1])])
)
sections = st.one_of(
    st.tuples(names.map("[{}]".format), st.lists(host_lines, max_size=3)),
    st.tuples(names.map("[{}:vars]".format), st.lists(assignments.map("=".join), max_size=3)),
    st.tuples(names.map("[{}:children]".format), st.lists(below, max_size=2)),
)
inventories = st.tuples(st.lists(host_lines, max_size=2), st.lists(sections, max_size=6)).map(
    lambda parts: "\n".join([*parts[0], *(line for head, lines in parts[1] for line in (head, *lines)), ""])
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(inventories)
def test_whatever_it_holds_it_is_what_ansible_reads_or_refused_by_both(
    tmp_path: Path, ansible: type[Ansible], text: str
) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text(text)
    theirs = ansible(str(path))
    if theirs.was_read and theirs.says_something:
        assert_same(path, theirs)
    else:
        with pytest.raises(InventoryError):
            load_inventory(path)
