"""Whatever is wrong in an inventory is an error that names the file, the line, the keys and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remotejobs.inventory import InventoryError, load_inventory

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Load, Write

WRONG = {
    "a misspelt part": ("all:\n  host:\n    a:\n", "2: all > host: 'host' is no part of a group. Did you mean hosts?"),
    "a group that is a value": ("all:\n  children:\n    web: 1\n", "3: all > children > web: the group 'web' must be"),
    "a list of hosts": ("all:\n  hosts:\n    - a\n", "2: all > hosts: `hosts` must be a mapping, not a list"),
    "a number as a host": ("all:\n  hosts:\n    12:\n", "3: all > hosts > 12: the name 12 is not a string. Put it in"),
    "a host that is a value": ("all:\n  hosts:\n    a: b\n", "3: all > hosts > a: the host 'a' must be a mapping"),
    "a word as variables": ("all:\n  vars: x\n", "2: all > vars: `vars` must be a mapping, not a single value"),
    "a key twice": ("all:\n  vars:\n    a: 1\n    b: 2\n    a: 3\n", "5: all > vars > a: the key 'a' is here twice"),
    "a deep key twice": ("all:\n  vars:\n    a:\n      - {b: 1, b: 2}\n", "4: all > vars > a > [0] > b: the key 'b'"),
    "a group twice": ("all:\n  hosts:\nweb:\nall:\n", "4: all: the key 'all' is here twice"),
    "a circle": (
        "a:\n  children:\n    b:\n      children:\n        a:\n",
        "3: a > children > b: the group 'b' cannot be below 'a': that closes a circle",
    ),
    "all below a group": ("web:\n  children:\n    all:\n      children:\n        web:\n", "closes a circle"),
    "a group below itself": ("a:\n  children:\n    a:\n", "3: a > children > a: the group 'a' cannot be below 'a'"),
    "a range going down": ("all:\n  hosts:\n    web[5:1]:\n", "3: all > hosts > web[5:1]: the range [5:1] in"),
    "a range of two kinds": ("all:\n  hosts:\n    web[a:5]:\n", "must go up, from number to number or letter"),
    "a range without end": ("all:\n  hosts:\n    web[1:]:\n", "[1:] in 'web[1:]' is no range"),
    "a range of unequal width": ("all:\n  hosts:\n    web[01:100]:\n", "as many digits at its end"),
    "a step of zero": ("all:\n  hosts:\n    web[1:3:0]:\n", "the step of [1:3:0]"),
    "an open bracket": ("all:\n  hosts:\n    'web[1:3':\n", "has a [ without its ]"),
    "a huge range": ("all:\n  hosts:\n    web[1:9999999999]:\n", "stands for more than 100000 hosts"),
    "a huge product": ("all:\n  hosts:\n    w[1:9999]x[1:9999]:\n", "stands for more than 100000 hosts"),
    "a priority in words": ("all:\n  vars:\n    ansible_group_priority: high\n", "must be a whole number"),
    "two documents": ("all:\n---\nweb:\n", "2: holds more than one YAML document"),
    "bad YAML": ("all:\n  hosts: {a: [\n", "is not valid YAML"),
    "an unquoted template": ("all:\n  vars:\n    a: {{ b }}\n", "3: all > vars > a: a mapping cannot be a key"),
    "an unknown tag": ("all:\n  vars:\n    a: !secret x\n", "3: all > vars > a: the tag !secret is not known"),
    "a wrong date": ("all:\n  vars:\n    a: 2024-99-99\n", "3: all > vars > a: this is no timestamp"),
    "a merge of a word": ("all:\n  vars:\n    <<: x\n", "3: all > vars > <<: `<<` takes a mapping"),
    "an anchor in itself": ("all:\n  vars:\n    a: &a [*a]\n", "nested too deeply"),
    "an empty file": ("# nothing\n", "names no host and no group"),
    "a plugin's file": ("plugin: aws_ec2\n", "configures Ansible's inventory plugin 'aws_ec2'"),
    "a word": ("hello\n", "a single value is no inventory. Write groups and hosts in it."),
    "INI with an error": ("[web]\nweb1 x\n", "2: word 2 of the host's line is no variable"),
    "an encrypted file": ("$ANSIBLE_VAULT;1.1;AES256\n3132\n", "is damaged: below its first line"),
}


@pytest.mark.parametrize("what", list(WRONG))
def test_a_wrong_inventory_is_named_with_place_and_remedy(
    load: Load, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # where no ansible-inventory is
    text, said = WRONG[what]
    with pytest.raises(InventoryError) as caught:
        load(text)
    assert said in str(caught.value)
    assert "hosts.yml" in str(caught.value)
    assert caught.value.remedy


def test_a_wrong_file_of_variables_is_named(write: Write) -> None:
    path = write({"hosts.yml": "all: {hosts: {a: }}", "host_vars/a/x.yml": "b: 1\nb: 2\n"})
    with pytest.raises(InventoryError, match=r"host_vars/a/x.yml:2: b: the key 'b' is here twice"):
        load_inventory(path)


def test_a_list_in_a_file_of_variables_is_named(write: Write) -> None:
    path = write({"hosts.yml": "all: {hosts: {a: }}", "group_vars/all": "- b\n"})
    with pytest.raises(InventoryError, match=r"group_vars/all: a file of variables must be a mapping, not a list"):
        load_inventory(path)


def test_a_missing_file_is_named(write: Write) -> None:
    with pytest.raises(InventoryError, match=r"gone.yml: cannot be read \(No such file or directory\)"):
        load_inventory(write({"hosts.yml": ""}).with_name("gone.yml"))


def test_a_file_that_is_no_text_is_named(write: Write) -> None:
    path = write({"hosts.yml": ""})
    path.write_bytes(b"all: \xff\n")
    with pytest.raises(InventoryError, match=r"is not UTF-8"):
        load_inventory(path)


def test_a_list_with_a_wrong_range_is_named() -> None:
    with pytest.raises(InventoryError, match=r"list 'web\[5:1\],': the range"):
        load_inventory("web[5:1],")


def test_a_list_may_hold_ranges() -> None:
    assert list(load_inventory("web[1:3],db1:22").hosts) == ["web1", "web2", "web3", "db1"]


def test_a_list_may_be_longer_than_a_file_name() -> None:
    assert len(load_inventory(",".join(f"host{n}.example.com" for n in range(500))).hosts) == 500


@pytest.mark.parametrize("path", ["x" * 5000, "nul\0byte"])
def test_what_cannot_be_a_path_is_an_error_of_the_inventory(path: str) -> None:
    with pytest.raises(InventoryError, match="cannot be read"):
        load_inventory(path)
