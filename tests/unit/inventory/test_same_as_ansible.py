"""Hosts, groups, variables and templates are those that Ansible itself sees in the same files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from remotejobs.inventory import load_inventory

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Ansible, Write

RANGES = """
all:
  hosts:
    web[01:12:3].example.com: {rank: front}
    "db[a:c]-[1:2]:2222":
    "plain:2200": {ansible_port: 2201}
    10.0.0.[1:3]:
    "2001:db8::1":
    "[2001:db8::2]:22":
    "x[:2]":
    n[8:11]:
    lone_host:
"""

NESTED = """
all:
  vars: {from_all: all, level: all, conf: {a: 1, b: 2}}
  hosts:
    loose: {level: host}
  children:
    europe:
      vars: {level: europe, region: eu, conf: {a: 3}}
      children:
        berlin: {hosts: {b1: , b2: {level: host}}, vars: {level: berlin, city: berlin}}
        paris:
          hosts: p1
          vars: {city: paris}
    databases:
      hosts: {b1: {role: primary}, p1: {role: replica}}
      vars: {city: databases, level: databases}
    empty:
    ungrouped:
      hosts: {u1: , b2: }
    deep: {children: {deeper: {children: {berlin: }}}, vars: {region: deep, level: deep}}
stray:
  hosts: {s1: , loose2: }
"""

PRIORITY = """
all:
  children:
    a: {hosts: {h1: }, vars: {x: a, y: a, ansible_group_priority: 10}}
    b: {hosts: {h1: }, vars: {x: b, y: b}}
    c: {hosts: {h1: }, vars: {x: c, ansible_group_priority: "3"}}
    z: {children: {b: }, vars: {y: z, ansible_group_priority: 99}}
"""

FILES = {
    "inv/hosts.yml": """
all:
  vars: {v: inventory all, w: inventory all}
  children:
    web: {hosts: {web1: {v: inventory host, h: inventory host}, web2.example.com: , web3: }, vars: {v: inventory web}}
    db: {hosts: {web1: }, vars: {w: inventory db}}
    dotted: {hosts: {web3: }}
""",
    "inv/group_vars/all.yml": "v: file all\nonly_all: 1\nansible_group_priority: 5\n",
    "inv/group_vars/all.yaml": "never_read: true\n",
    "inv/group_vars/web/10-first": "order: first\nv: file web\n",
    "inv/group_vars/web/20-second.yml": "order: second\n",
    "inv/group_vars/web/deep/30.json": '{\n\t"order": "third",\n\t"nested": {"x": [1, 2.5, null, true]}\n}',
    "inv/group_vars/web/.hidden.yml": "never_read: true\n",
    "inv/group_vars/web/backup.yml~": "never_read: true\n",
    "inv/group_vars/web/old~": "never_read: true\n",
    "inv/group_vars/web/notes.txt": "never read: [\n",
    "inv/group_vars/db": "---\nengine: postgres\n",
    "inv/group_vars/dotted.yml": "# nothing in it\n",
    "inv/host_vars/web1.yml": "h: file host\n",
    "inv/host_vars/web2.example.com": "h: file host\n",
    "inv/host_vars/nobody.yml": "never_read: true\n",
}

TEMPLATES = """
all:
  vars:
    domain: example.com
    port: 22
    on_off: "yes"
    name_list: [a, b, "{{ domain }}"]
    paths: {base: /srv, data: "{{ paths.base }}/data", deep: [{x: "{{ paths.data }}"}]}
    fqdn: "{{ inventory_hostname_short }}.{{ domain }}"
    same_type: "{{ port }}"
    constant: "{{ 22 }}"
    text_number: "{{ '22' }}"
    sum: "{{ port + 1 }}"
    in_text: "p{{ port }}"
    two: "{{ port }}{{ port }}"
    nothing: "{{ none }}"
    nothing_in_text: "[{{ none }}]"
    truth: "{{ on_off | bool }}"
    truth_text: "{{ true }}!"
    whole_list: "{{ name_list }}"
    list_text: "={{ name_list }}"
    longer: "{{ name_list + ['z'] }}"
    joined: "{{ name_list | join(',') }}"
    first_last: "{{ name_list | first }}{{ name_list | last }}"
    upper: "{{ domain | upper | replace('.', '-') }}"
    mapped: "{{ name_list | map('upper') | list }}"
    lazy_map: "{{ name_list | map('length') }}"
    chained: "{{ missing.deeper.still | default('fallback') }}"
    undefined_var: "{{ missing_too | default(domain) }}"
    through: "{{ undefined_var }}"
    picked: "{{ on_off | bool | ternary('a', 'b') }}"
    replaced: '{{ domain | regex_replace("^([a-z]+)\\..*$", "\\1") }}'
    backslashes: 'a\\nb {{ "a\\nb" }} {% set x = "c\\td" %}{{ x }}'
    base: "{{ '/a/b.c' | basename }}{{ '/a/b.c' | dirname }}"
    json: "{{ paths | to_json }}"
    from: "{{ '[1, 2]' | from_json }}"
    members: "{{ groups.web | sort | join(' ') }}"
    mine: "{{ group_names | join(' ') }}"
    other: "{{ hostvars['web1'].special | default('none') }}"
    home: "{{ lookup('env', 'HOME') }}{{ lookup('env', 'NOT_SET_ANYWHERE') }}"
    file_name: "{{ inventory_file | basename }} {{ inventory_dir | basename != '' }}"
    condition: "{% if 'web' in group_names %}web{% else %}other{% endif %}"
    silent: "{% if false %}x{% endif %}"
    block: |
      a
      {% for n in name_list %}
      - {{ n }}
      {% endfor %}
      b
    plain_block: |
      kept
    number_block: |
      {{ port }}
    text_block: |+
      {{ domain }}

    literal: !unsafe "{{ not_a_template }}"
    literals: !unsafe ["{{ no }}", {a: "{% no %}"}]
    merged: "{{ paths | combine({'base': '/x'}) | dict2items | map(attribute='key') | list }}"
    encoded: "{{ 'ä' | b64encode }} {{ 'YQ==' | b64decode }} {{ \\"a b\\" | quote }}"
    sets: "{{ [1, 2, 2] | union([3]) }}{{ [1, 2] | difference([2]) }}{{ [1, 2] | intersect([2]) }}"
    flat: "{{ [1, [2, [3]]] | flatten }}"
    parts: "{{ 'a,b' | split(',') }}"
    full_name: "{{ '1' | ansible.builtin.bool }}"
    matching: "{{ 'web1' is match('web') }}{{ 'xweb' is search('web$') }}"
    required: "{{ domain | mandatory }}"
  children:
    web: {hosts: {web1: {special: "{{ inventory_hostname }}!"}, web2.example.com: }}
    db: {hosts: {10.1.2.3: }}
"""

SCALARS = """
all:
  hosts:
    h:
      int: 12
      octal: 0600
      hex: 0x1F
      float: 1.5
      yes: yes
      "on": "on"
      null_var: ~
      date: 2024-01-02
      time: 12:30:45
      multi: >-
        folded
        text
      anchor: &base {a: 1, b: 2}
      merge: {<<: *base, b: 3}
      merges: {<<: [{a: 1}, {a: 2, c: 4}], d: 5}
      number_keys: {1: one, 2.5: two}
      bin: !!binary aGk=
"""

INVENTORIES: dict[str, dict[str, str]] = {
    "ranges": {"hosts.yml": RANGES},
    "nested groups": {"hosts.yml": NESTED},
    "priorities": {"hosts.yml": PRIORITY},
    "variable files": FILES,
    "templates": {"hosts.yml": TEMPLATES},
    "scalars": {"hosts.yml": SCALARS.replace("yes: yes", "answer: yes")},
}


@pytest.fixture(params=list(INVENTORIES))
def path(request: pytest.FixtureRequest, write: Write) -> Path:
    files: dict[str, str] = INVENTORIES[request.param]
    return write(files)


def test_the_hosts_are_those_of_ansible_in_its_order(path: Path, ansible: type[Ansible]) -> None:
    assert list(load_inventory(path).hosts) == ansible(str(path)).hosts


def test_the_groups_are_those_of_ansible(path: Path, ansible: type[Ansible]) -> None:
    inventory, theirs = load_inventory(path), ansible(str(path))
    assert {name: set(hosts) for name, hosts in inventory.groups.items()} == theirs.groups
    for host in inventory.hosts.values():
        assert list(host.groups) == theirs.group_names(host.name)


def test_every_variable_has_the_value_and_type_that_ansible_gives_it(path: Path, ansible: type[Ansible]) -> None:
    theirs = ansible(str(path))
    for host in load_inventory(path).hosts.values():
        expected = theirs.variables(host.name)
        assert dict(host.variables) == expected
        assert {n: _types(v) for n, v in host.variables.items()} == {n: _types(v) for n, v in expected.items()}


def test_a_directory_is_merged_as_ansible_merges_it(write: Write, ansible: type[Ansible]) -> None:
    directory = write(
        {
            "inv/20-more.yml": "web: {hosts: {w2: , w1: {x: later}}, vars: {y: later}}\n",
            "inv/10-base.yml": "all: {children: {web: {hosts: {w1: {x: first, z: 1}}, vars: {y: first}}}}\n",
            "inv/sub/hosts": "db: {hosts: {d1: }}\n",
            "inv/README.md": "# not an inventory\n",
            "inv/empty.yml": "# nothing yet\n",
            "inv/group_vars/web.yml": "g: file\n",
        }
    ).parent
    inventory, theirs = load_inventory(directory), ansible(str(directory))
    assert list(inventory.hosts) == theirs.hosts
    for host in inventory.hosts.values():
        assert dict(host.variables) == theirs.variables(host.name)


@pytest.mark.parametrize("text", ["web1,web2", "web1,", "a:2222, b ,2001:db8::1", "db1, db1"])
def test_a_list_with_a_comma_is_an_inventory(text: str, ansible: type[Ansible]) -> None:
    inventory, theirs = load_inventory(text), ansible(text)
    assert list(inventory.hosts) == theirs.hosts
    assert all(dict(host.variables) == theirs.variables(host.name) for host in inventory.hosts.values())


def test_the_program_ansible_inventory_lists_the_same(write: Write) -> None:
    path = write(FILES)
    program = Path(sys.executable).with_name("ansible-inventory")
    listed = subprocess.run([program, "-i", path, "--list"], check=True, capture_output=True, text=True)
    answer = json.loads(listed.stdout)
    inventory = load_inventory(path)
    assert {host.name: dict(host.variables) for host in inventory.hosts.values()} == answer["_meta"]["hostvars"]
    assert {"web": list(inventory.groups["web"])} == {"web": answer["web"]["hosts"]}


def test_the_example_inventory_is_read_as_ansible_reads_it(
    ansible: type[Ansible], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BECOME_PASSWORD", "from the environment")
    path = Path(__file__).parents[3] / "inventories" / "example.yml"
    inventory, theirs = load_inventory(path), ansible(str(path))
    assert list(inventory.hosts) == theirs.hosts
    for host in inventory.hosts.values():
        assert dict(host.variables) == theirs.variables(host.name)


def _types(value: Any) -> Any:
    """Ansible tags its values with where they come from; what counts is the plain type below."""
    if isinstance(value, dict):
        return {key: _types(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_types(item) for item in value]
    return next(t for t in (bool, int, float, str, bytes, object) if isinstance(value, t))
