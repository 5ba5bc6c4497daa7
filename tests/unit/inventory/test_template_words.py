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
    "[1, 2] | zip(['a', 'b', 'c']) | list", "[1, 2, 3] | zip_longest(['a'], fillvalue='x') | list",
    "[1, 2] | product(['a', 'b']) | list", "['/etc', 'a', 'b.conf'] | path_join", "'a/b.tar.gz' | splitext",
    "'web1' | to_uuid", "60 | random(seed=inventory_hostname)", "[1, 2, 3] | random(seed='s')",
    "100 | random(start=10, step=10, seed='s')", "'https://u@h.example:8443/p?q=1#f' | urlsplit('hostname')",
    "'https://u@h.example:8443/p?q=1#f' | urlsplit",
    "'web1' is regex('b\\d$')", "[1, 2] is contains(2)", "[1] is subset([1, 2])", "[1, 2] is superset([1])",
    "'' is truthy", "0 is falsy", "[1, 0] is any", "[1, 0] is all", "'yes' is truthy(convert_bool=True)",
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
    "'192.0.2.0/24' | ipaddr('address')": None,
    "'192.0.2.0/24' | ipaddr('1') | ipaddr('address')": "192.0.2.1",
    "'10.1.2.3/255.255.0.0' | ipaddr('network/prefix')": "10.1.0.0/16",
    "'192.0.2.9/24' | ipaddr('first_usable')": "192.0.2.1",
    "'192.0.2.9/24' | ipaddr('range_usable')": "192.0.2.1-192.0.2.254",
    "'10.0.0.1/30' | ipaddr('peer')": "10.0.0.2",
    "'192.0.2.9' | ipaddr('revdns')": "9.2.0.192.in-addr.arpa.",
    "'192.0.2.9/24' | ipaddr('network_netmask')": "192.0.2.0 255.255.255.0",
    "'192.0.2.9/24' | ipaddr('int')": "3221225993/24",
    "'::ffff:192.0.2.1' | ipaddr('ipv4')": "192.0.2.1/32",
    "'192.0.2.1' | ipaddr('ipv6')": "::ffff:192.0.2.1/128",
    "3221225993 | ipaddr": "192.0.2.9",
    "'2001:db8::1/64' | ipv6('subnet')": "2001:db8::/64",
    "'192.0.2.1' | ipv6": False,
    "'10.0.0.0/8' | ansible.utils.ipsubnet(16, 1)": "10.1.0.0/16",
    "'10.0.0.0/8' | ansible.utils.ipsubnet(16)": "256",
    "'10.0.0.0/8' | ipsubnet(16, -1)": "10.255.0.0/16",
    "'192.0.2.9' | ipsubnet(24)": "192.0.2.0/24",
    "'10.1.0.0/16' | ipsubnet('10.0.0.0/8')": "2",
    "'10.0.0.0/8' | ansible.utils.nthhost(305)": "10.0.1.49",
    "'10.0.0.0/24' | nthhost(256)": False,
    "'192.0.2.5/24' | next_nth_usable(5)": "192.0.2.10",
    "'192.0.2.5/24' | previous_nth_usable(5)": None,
    "'192.0.2.5' | ansible.utils.ipmath(-6)": "192.0.1.255",
    "'10.0.0.0/8' | network_in_network('10.1.0.0/16')": True,
    "'192.0.2.0/24' | network_in_usable('192.0.2.255')": False,
    "['10.1.0.1', '192.0.2.1'] | reduce_on_network('10.0.0.0/8')": ["10.1.0.1"],
    "['10.0.0.0/25', '10.0.0.128/25'] | cidr_merge": ["10.0.0.0/24"],
    "['10.0.0.1', '10.0.0.9'] | cidr_merge('span')": "10.0.0.0/28",
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


def test_addresses_give_what_they_give_in_the_collection(write: Write) -> None:
    """By ansible.utils 6.0.3 with netaddr 1.3."""
    host = load_inventory(write({"hosts.yml": inventory_of(list(ADDRESSES))})).hosts["h1"]
    assert {text: host.variables[f"x{n}"] for n, text in enumerate(ADDRESSES)} == ADDRESSES


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("'192.0.2.1' | ipaddr('nonsense')", "ipaddr cannot be asked 'nonsense'; known are address, ip,"),
        ("'192.0.2.1' | ipaddr('first_usable')", "an address alone is no network"),
        ("'192.0.2.0/24' | ipsubnet(16)", "ipsubnet: a network of 24 bits has none of 16 in it"),
        ("'x' | ipmath(1)", "ipmath: this is no address"),
        (
            "'00:11:22:33:44:55' | ansible.utils.hwaddr",
            "No filter named 'ansible.utils.hwaddr'.*only the filters of",
        ),
        ("1 is ansible.utils.in_any_network([])", "No test named 'ansible.utils.in_any_network'.*lists the tests"),
        ("lookup('community.general.passwordstore', 'x')", "passwordstore'. is not read here; known are env"),
    ],
)
def test_what_is_not_read_is_refused_by_name(expression: str, said: str, write: Write) -> None:
    host = load_inventory(write({"hosts.yml": inventory_of([expression])})).hosts["h1"]
    with pytest.raises(InventoryError, match=said):
        host.variables["x0"]


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
