"""Filters, tests, lookups and names that real inventories use give what they give in Ansible."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from remotejobs.inventory import Inventory, InventoryError, Reading, load_inventory

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Ansible, Write

# fmt: off
EXPRESSIONS = [
    "query('env', 'HOME')", "q('vars', 'number', 'word')", "lookup('vars', 'number')",
    "lookup('vars', 'word', 'number')",
    "lookup('vars', 'pre' ~ 'fixed')", "lookup('vars', 'nobody', default='d')",
    "lookup('vars', 'data')",
    "lookup('file', 'note')", "lookup('file', 'note', rstrip=False)", "lookup('file', 'files/note')",
    "query('file', 'note', 'note')", "lookup('file', 'note', wantlist=True)",
    "lookup('template', 'page.j2')", "lookup('template', 'page.j2') | trim", "lookup('password', 'files/kept')",
    "'a: [1, {b: c}]' | from_yaml", "data | to_yaml", "data | to_nice_yaml", "data | to_nice_yaml(indent=2)",
    "data | to_nice_json", "word | hash('sha256')", "word | hash", "word | md5", "word | sha1",
    "'1.10' is version('1.9', '>')", "'1.9.2' is version('1.10', '<')", "'2.0' is version('2.0')",
    "'1.0rc1' is version('1.0', 'ge')", "'20.04' is version('22.04', '>=')", "'1.2' is version_compare('1.2.0', '<')",
    "'web12' is version('web2', 'gt')",
    "'db1.eu.example' | regex_search('^db(\\d+)\\.(?P<zone>\\w+)', '\\1', '\\g<zone>')",
    "'db1' | regex_search('x(\\d)', '\\1')", "'db1' | regex_search('B', ignorecase=True)",
    "'a1b22' | regex_findall('\\d+')", "'a.b' | regex_escape", "'word' | extract(data)",
    "'deep' | extract(data, 'x')",
    "'deep' | extract(data, ['y', 0])", "['h1', 'h2'] | map('extract', hostvars, 'number') | list",
    "[1, 2] | symmetric_difference([2, 3])", "'ab' | from_json if false else 'b'",
]
# fmt: on
BESIDE = {
    "inv/hosts.yml": "",
    "play/files/note": "of a file  \n\n",
    "play/templates/page.j2": "{% for n in data.list %}\n- {{ n }}\n{% endfor %}\n{{ word }}\n",
    "play/files/kept": "s3cret salt=abc\n",
}
ADDRESSES = {
    "'192.0.2.1' | ipaddr": "192.0.2.1",
    "'no' | ipaddr": False,
    "['192.0.2.1', 'x', '::1'] | ipaddr": ["192.0.2.1", "::1"],
    "['192.0.2.1', 'x', '::1'] | ansible.utils.ipv4": ["192.0.2.1"],
    "'192.0.2.1/24' | ipaddr('address')": "192.0.2.1",
    "'192.0.2.1/24' | ipaddr('network')": "192.0.2.0",
    "'192.0.2.1/24' | ipaddr('netmask')": "255.255.255.0",
    "'192.0.2.1/24' | ipaddr('prefix')": 24,
    "'192.0.2.1/24' | ipaddr('subnet')": "192.0.2.0/24",
    "'192.0.2.1/24' | ipaddr('broadcast')": "192.0.2.255",
    "'192.0.2.0/24' | ipaddr('net')": "192.0.2.0/24",
    "'192.0.2.0/24' | ipaddr(5)": "192.0.2.5/24",
    "'192.0.2.0/24' | ipaddr(-1)": "192.0.2.255/24",
    "'192.0.2.9' | ipaddr('192.0.2.0/24')": "192.0.2.9",
    "'10.0.0.1' | ipaddr('private')": "10.0.0.1",
    "'2001:db8::1' | ipv6": "2001:db8::1",
    "'2001:db8::1' | ipwrap": "[2001:db8::1]",
    "'host' | ipwrap": "host",
}


def inventory_of(expressions: list[str]) -> str:
    variables: dict[str, Any] = {f"x{n}": f"{{{{ {text} }}}}" for n, text in enumerate(expressions)}
    data = {"word": "w", "list": [1, "b"], "deep": {"x": 1, "y": ["ä"]}}
    fixed = {"number": 1, "word": "hunter", "prefixed": "p", "data": data}
    return yaml.safe_dump({"all": {"vars": {**fixed, **variables}, "hosts": {"h1": None, "h2": {"number": 2}}}})


def test_they_give_what_they_give_in_ansible(write: Write, ansible: type[Ansible]) -> None:
    path = write({**BESIDE, "inv/hosts.yml": inventory_of(EXPRESSIONS)})
    play = path.parents[1] / "play"
    ours = load_inventory(path, reading=Reading(playbook_dir=play)).hosts["h1"].variables
    theirs = ansible(str(path), playbook_dir=play).variables("h1")
    different = {
        text: (ours[name], theirs[name])
        for name, text in ((f"x{n}", text) for n, text in enumerate(EXPRESSIONS))
        if ours[name] != theirs[name] or isinstance(ours[name], str) != isinstance(theirs[name], str)
    }
    assert not different


def test_addresses_give_what_the_collection_documents(write: Write) -> None:
    host = load_inventory(write({"hosts.yml": inventory_of(list(ADDRESSES))})).hosts["h1"]
    assert {text: host.variables[f"x{n}"] for n, text in enumerate(ADDRESSES)} == ADDRESSES


def test_the_python_of_the_playbook_is_this_one(write: Write) -> None:
    path = write({"hosts": 'localhost ansible_connection=local p="{{ ansible_playbook_python }}"\n'})
    assert load_inventory(path).hosts["localhost"].variables["p"] == sys.executable


@pytest.fixture
def running(write: Write) -> Inventory:
    lookups = {"a": "'pipe', 'echo out; pwd'", "b": "'password', 'kept/of-h1 length=9'", "c": "'pipe', 'exit 3'"}
    said = " ".join(f'{name}="{{{{ lookup({words}) }}}}"' for name, words in lookups.items())
    path = write({"hosts": f"h1 {said}\n"})
    return load_inventory(path, reading=Reading(playbook_dir=path.parent, run_lookups=True))


def test_with_leave_programs_run_and_passwords_are_made_once(running: Inventory) -> None:
    variables = running.hosts["h1"].variables
    base = running.sources[0].rpartition("/")[0]
    assert variables["a"] == f"out\n{base}"
    assert len(variables["b"]) == 9
    without = load_inventory(*running.sources, reading=Reading(playbook_dir=Path(base))).hosts["h1"].variables
    assert without["b"] == variables["b"]
    assert (Path(base) / "kept" / "of-h1").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InventoryError, match="needs leave"):
        without["a"]
    with pytest.raises(InventoryError, match="the program ended with 3"):
        variables["c"]
