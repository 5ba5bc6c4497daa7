"""Values are templated when they are used, in a sandbox; what goes wrong is named at the place of the variable."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remotejobs.inventory import Host, InventoryError, load_inventory

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Load

WRONG = {
    "{{ nope }}": "cannot be filled in: 'nope' is undefined. Set that variable",
    "x{{ nope }}": "cannot be filled in: 'nope' is undefined",
    "{{ [nope] }}": "cannot be filled in: 'nope' is undefined",
    "{{ nope | mandatory('set NOPE first') }}": "set NOPE first",
    "{{ through }}": "cannot be filled in: 'missing' is undefined",
    "{{ x }}": "refers back to itself: x -> x. Break the circle.",
    "{{ round }}": "refers back to itself: round -> trip -> round",
    "{{ 'a' | slaac }}": "No filter named 'slaac'",
    "{{ 'a' | next_nth_usable }}": "next_nth_usable() missing 1 required positional argument: 'offset'",
    "{{ 'a' | md5(1) }}": "is no good template: it takes 1 positional argument but 2 were given",
    "{{ 'a' | bool(1) }}": "is no good template: bool() takes 1 positional argument but 2 were given",
    "{{ 'a' is version }}": "is no good template: version() missing",
    "{{ 'a' | regex_replac('a') }}": "Did you mean regex_replace",
    "{{ lookup('pipe', 'id') }}": "lookup('pipe') runs a program, which needs leave: --run-lookups",
    "{{ lookup('dig', 'x') }}": "lookup('dig') is not read here; known are env, file, template",
    "{{ lookup('env', 'x', why=1) }}": "lookup('env') does not take why",
    "{{ lookup('vars', 'nobody') }}": "there is no variable 'nobody'",
    "{{ lookup('password', '/no/such') }}": "lookup('password') writes a file that is not there yet, which needs leave",
    "{{ '1' is version('1', '~') }}": "'~' does not compare versions",
    "{{ 'a: [' | from_yaml }}": "from_yaml: this is not valid YAML",
    "{{ '10.0.0.1' | ipaddr('nonsense') }}": "ipaddr cannot be asked 'nonsense'",
    "{{ 'a' | regex_search('a', 'b') }}": "'b' is no group",
    "{{ {'a': 1}.b.c }}": "'dict object' has no attribute 'b'",
    "{{ mapping.nope }}": "cannot be filled in: 'dict object' has no attribute 'nope'",
    "{{ numbers.nope }}": "cannot be filled in: 'list object' has no attribute 'nope'",
    "{{ mapping + 1 }}": "unsupported operand type(s) for +: 'dict' and 'int'",
    "{{ 'a' | combine }}": "is no good template",
    "{{ 'a' | split(1, 2, 3) }}": "split() takes from",
    "{{ lookup('file', '/no/such') }}": "lookup('file', '/no/such'): No such file",
    "{{ 'maybe' | bool }}": "'maybe' is neither true nor false",
    "{{ 1 / 0 }}": "division by zero",
    "{{ 'a' + 1 }}": "is no good template",
    "{{ 'a": "is no good template",
    "{% include 'x' %}": "is no good template",
    "{{ range }}": "is no good template",
    "{{ range(3) }}": "a range cannot be the value of a variable",
    "{{ ''.__class__ }}": "access to attribute '__class__' of 'str' object is unsafe",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": "__class__",
    "{{ lookup.__globals__ }}": "__globals__",
    "{{ hostvars['h']._magic }}": "_magic",
    "{{ numbers.append(1) }}": "append",
    "{{ range(1000000000) | list }}": "Range too big",
    "{{ secret }}": "is damaged: below its first line",
}


def host(load: Load, template: str) -> Host:
    return load(f"""
all:
  vars:
    through: "{{{{ missing }}}}"
    round: "{{{{ trip }}}}"
    trip: "{{{{ round }}}}"
    numbers: [1, 2]
    mapping: {{a: 1}}
    secret: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      3132
  hosts:
    h:
      fine: 1
      x: {template!r}
""").hosts["h"]


@pytest.mark.parametrize("template", list(WRONG))
def test_a_wrong_template_is_an_error_with_place_and_reason_when_it_is_used(load: Load, template: str) -> None:
    wrong = host(load, template.replace("'", '"') if "'" in template else template)
    assert wrong.variables["fine"] == 1
    with pytest.raises(InventoryError) as caught:
        wrong.variables["x"]
    assert "hosts.yml:" in str(caught.value)
    said = WRONG[template]
    assert said in str(caught.value) or said.replace("'", '"') in str(caught.value)


def test_an_environment_variable_is_no_template_itself(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "pa{{ss}}word")
    assert host(load, '{{ lookup("env", "PASSWORD") }}').variables["x"] == "pa{{ss}}word"


def test_a_lookup_has_a_default_and_files_lose_their_last_newline(load: Load, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("secret\n")
    found = host(load, '{{ lookup("ansible.builtin.file", inventory_dir ~ "/word") }}')
    assert found.variables["x"] == "secret"
    assert host(load, '{{ lookup("env", "NOT_SET_ANYWHERE", default="d") }}').variables["x"] == "d"


def test_a_host_shows_no_values_when_it_is_printed(load: Load) -> None:
    printed = host(load, "hunter2")
    printed.variables["x"]
    assert "hunter2" not in f"{printed!r} {printed.variables!r}"


def test_a_password_that_looks_like_a_broken_template_is_not_shown(load: Load) -> None:
    with pytest.raises(InventoryError) as caught:
        host(load, "hunter2{{").variables["x"]
    assert "hunter2" not in str(caught.value)


def test_an_inventory_survives_being_pickled(load: Load) -> None:
    load("all: {hosts: {a: {x: '{{ inventory_hostname }}'}}}")
    inventory = load("all: {hosts: {a: {x: '{{ inventory_hostname }}'}}}")
    copied = pickle.loads(pickle.dumps(inventory))
    assert copied.select("a")[0].variables["x"] == "a"
    assert copied.select("localhost")[0].variables["ansible_connection"] == "local"


def test_jinja2_is_not_loaded_for_an_inventory_without_templates(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: {ansible_host: b, t: '{{ 1 }}'}}}")
    program = (
        "import sys; from remotejobs.inventory import load_inventory; "
        f"h, = load_inventory({str(tmp_path / 'hosts.yml')!r}).select('all'); h.variables.get('ansible_host'); "
        "assert 'jinja2' not in sys.modules; h.variables.get('t'); assert 'jinja2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_source_of_a_host_is_where_it_is_first_named(load: Load) -> None:
    inventory = load("all:\n  hosts:\n    a:\n  children:\n    g:\n      hosts:\n        a:\n        b:\n")
    assert [h.source for h in inventory.hosts.values()] == [f"{inventory.where}:3", f"{inventory.where}:8"]
    assert load_inventory("c,").hosts["c"].source == "list 'c,'"
