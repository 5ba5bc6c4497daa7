"""Inventory scripts are run, plugins' files are given to Ansible, and JSON that either printed is read as it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remotejobs.inventory import InventoryError, Reading, load_inventory
from remotejobs.inventory.inventory import Variables
from remotejobs.inventory.listing import graph, listing
from remotejobs.inventory.sources import plugins, programs
from remotejobs.inventory.vault.keys import secrets_named
from tests.unit.inventory.test_vault import encrypted

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Write

AnsibleInventory = Callable[..., str]
Script = Callable[[str], Path]

LISTING = {
    "web": {"hosts": ["w1", "w2"], "vars": {"ansible_user": "www", "t": "{{ x }}"}, "children": ["sub", "flat"]},
    "sub": {"hosts": ["s1"], "vars": {"ansible_group_priority": 3, "l": [1, {"a": None}]}},
    "flat": ["w1", "f1"],
    "alone": {"x": "vars of a host of this name"},
    "empty": {},
    "all": {"children": ["web"], "vars": {"u": {"__ansible_unsafe": "{{ no }}"}}},
    "_meta": {
        "hostvars": {
            "w1": {"ansible_host": "10.0.0.1", "x": {"__ansible_unsafe": "{{"}, "nobody": {"y": 1}},
            "s1": {"sealed": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n3132\n"}},
        }
    },
}
WITHOUT_META = """#!/bin/sh
case "$1 $2" in
  "--list ") echo '{"web": {"hosts": ["w1", "w2"]}}' ;;
  "--host w1") echo '{"x": "{{ y }}", "y": 1}' ;;
esac
"""


@pytest.fixture
def script(write: Write) -> Script:
    def written(text: str) -> Path:
        path = write({"inv/hosts.sh": text, "inv/group_vars/web.yml": "beside: 1\n"})
        path.chmod(0o755)
        return path

    return written


@pytest.mark.parametrize("text", [f"#!/bin/sh\ncat <<'E'\n{json.dumps(LISTING)}\nE\n", WITHOUT_META])
def test_a_script_says_what_it_says_to_ansible(text: str, script: Script, ansible_inventory: AnsibleInventory) -> None:
    for source in (path := script(text), path.parent):
        inventory = load_inventory(source)
        assert listing(inventory) == json.loads(ansible_inventory("-i", str(source), "--list"))
        assert "\n".join(graph(inventory)) == ansible_inventory("-i", str(source), "--graph").rstrip("\n")


def test_what_ansible_inventory_printed_is_an_inventory(write: Write, ansible_inventory: AnsibleInventory) -> None:
    path = write({"hosts.yml": "web: {hosts: {w1: {x: !unsafe '{{', y: [1]}}}\ndb: {children: {web: }}\n"})
    printed = ansible_inventory("-i", str(path), "--list")
    again = load_inventory(write({"dump.json": printed}).with_name("dump.json"))
    assert listing(again) == json.loads(printed)


WRONG = {
    "that fails": (
        "#!/bin/sh\necho first >&2; echo no token >&2; exit 3\n",
        "ended with 3 and said: first",
    ),
    "that prints no JSON": ("#!/bin/sh\necho hunter2\n", "hosts.sh:1: is not valid JSON"),
    "whose interpreter is missing": ("#!/nonexistent\n", r"cannot be run \(No such file or directory\)"),
    "that prints a list": ("#!/bin/sh\necho '[\"hunter2\"]'\n", "the inventory must be an object of JSON"),
    "with wrong hosts": ('#!/bin/sh\necho \'{"web": {"hosts": "hunter2"}}\'\n', "web > hosts: must be a list of"),
    "with wrong variables": ('#!/bin/sh\necho \'{"web": {"vars": "hunter2"}}\'\n', "web > vars: `vars` must be an"),
    "with a circle": (
        '#!/bin/sh\necho \'{"a": {"children": ["b"]}, "b": {"children": ["a"]}}\'\n',
        "the group 'a' cannot be below 'b'",
    ),
    "that does not end": ("#!/bin/sh\nexec sleep 60\n", "did not end within 0.2 s"),
}


@pytest.mark.parametrize("what", list(WRONG))
def test_a_script_with_an_error_is_named(what: str, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    text, said = WRONG[what]
    monkeypatch.setattr(programs, "SECONDS", 0.2 if "sleep" in text else 60.0)
    with pytest.raises(InventoryError, match=said) as caught:
        load_inventory(script(text))
    assert "hunter2" not in str(caught.value)


def test_in_a_directory_a_program_that_may_not_be_run_is_passed_over(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    path = write({"inv/hosts": "w1\n", "inv/convert.py": "#!/usr/bin/env python3\nraise SystemExit(1)\n"})
    assert list(load_inventory(path.parent).hosts) == ["w1"]
    assert "convert.py: passed over" in caplog.text


def test_a_plugin_is_asked_of_ansible_once_and_its_group_vars_are_read_by_us(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    generator = "plugin: ansible.builtin.generator\nhosts: {name: 'w{{ n }}', parents: [{name: web}]}\n"
    path = write({"inv/gen.yml": generator + "layers: {n: [1, 2]}\n", "inv/group_vars/web.yml": encrypted("x: 1\n")})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    assert load_inventory(path).groups["web"] == ("w1", "w2")
    (kept,) = (tmp_path / "cache" / "remotejobs" / "inventory").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600

    def never(*_: object, **__: object) -> str:
        raise AssertionError("asked again")

    monkeypatch.setattr(plugins, "printed", never)
    assert load_inventory(path.parent).groups["web"] == ("w1", "w2")
    monkeypatch.setattr(plugins, "KEPT_FOR", -1)
    with pytest.raises(AssertionError, match="asked again"):
        load_inventory(path)


def test_a_plugin_that_builds_on_other_inventories_is_given_them(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ansible_inventory: AnsibleInventory
) -> None:
    """Alone it would find nothing, and its groups would be missing without a word."""
    built = (
        "plugin: ansible.builtin.constructed\ngroups: {ones: inventory_hostname.endswith('1')}\ncompose: {y: x + 1}\n"
    )
    path = write(
        {
            "inv/a.ini": "[web]\nw1:22 x=1\nw2 x=2\n[web:vars]\nz=[1]\n",
            "inv/constructed.yml": built,
            "inv/group_vars/ones.yml": "o: 1\n",
            "inv/host_vars/w1.yml": encrypted("s: 1\n"),
            "more": "d1 x=5\nd2 x=6\n",
        }
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    password = write({"password": "pw\n"})
    reading = Reading(secrets_named((), [str(password)], environment={}))
    for sources in (["inv/../more", "inv"], ["inv/a.ini", "w9,", "inv/constructed.yml"]):
        named = [one if "," in one else str(path.parents[1] / one) for one in sources]
        inventory = load_inventory(*named, reading=reading)
        words = [word for one in named for word in ("-i", one)]
        theirs = ansible_inventory(*words, "--list", "--vault-password-file", str(password))
        assert listing(inventory) == json.loads(theirs)
    variables = inventory.hosts["w1"].variables
    assert isinstance(variables, Variables)
    assert str(variables.raw["x"].place) == f"{path}:2: x"  # and not the file that was given its value again


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "plugin: amazon.aws.aws_ec2\n",
            "`ansible-inventory -i .*unknown plugin 'amazon.aws.aws_ec2'.*Is the plugin",
        ),
        ("plugin: ansible.builtin.generator\nhosts: {name: w}\n", "ended with 1 and said: .*'layers'.*Run it by hand"),
    ],
)
def test_a_plugin_that_fails_is_named_with_its_own_words(
    text: str, said: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    with pytest.raises(InventoryError, match=said) as caught:
        load_inventory(write({"plug.yml": text}))
    assert " /  / " not in str(caught.value)


def test_without_ansible_it_is_said_what_to_install(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(InventoryError, match=r"'amazon.aws.aws_ec2'.* ansible-core; ansible-galaxy collection"):
        load_inventory(write({"aws.yml": "plugin: amazon.aws.aws_ec2\n"}))


@pytest.mark.parametrize("name", ["hosts", "hosts.yml", "hosts.ini", "hosts.json", "secrets.env"])
@pytest.mark.parametrize(
    "text",
    [
        "hunter2\n",
        "w1 ansible_password=hunter2 x\n",
        "[g:vars]\nhunter2\n",
        "a: hunter2\n",
        "- hunter2\n",
        "a: [hunter2\n",
        '{"password": "hunter2"}',
        '{"a": {"hosts": "hunter2"}}',
        "!hunter hunter2\n",
        "a: {vars: {x: !!int hunter2}}\n",
        "PASSWORD=hunter2\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n",
    ],
)
def test_no_refusal_prints_what_a_file_says(name: str, text: str, write: Write) -> None:
    said = ""
    try:
        load_inventory(write({name: text}))
    except InventoryError as exc:
        said = str(exc)
    assert "hunter2" not in said


def test_a_list_in_a_json_file_is_no_section_of_ini(write: Write) -> None:
    with pytest.raises(InventoryError, match=r"l.json: holds a list"):
        load_inventory(write({"l.json": "[1,2]"}))


def test_json_that_is_no_inventory_is_called_that(write: Write) -> None:
    with pytest.raises(InventoryError, match=r"state.json: is JSON, but no inventory: it has neither"):
        load_inventory(write({"state.json": '{"version": 4, "serial": 1, "outputs": []}'}))
