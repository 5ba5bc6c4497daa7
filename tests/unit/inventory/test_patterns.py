"""A pattern names the hosts that it names in Ansible, in the same order; what it cannot name is an error."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remotejobs.inventory import Inventory, PatternError, load_inventory

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Ansible, Load, Write

HOSTS = """
all:
  hosts: {loner.example.com: }
  children:
    web: {hosts: {"web[1:5]": }}
    db: {hosts: {"db[1:3]": , web5: }}
    canary: {hosts: {web1: , db2: }}
    region-eu: {children: {db: , v6: }}
    v6: {hosts: {"2001:db8::1": , "fe80::2": }}
    empty:
    same.name: {hosts: {web2: }}
    other: {hosts: {same.name: }}
"""

PATTERNS = """
all * web db region-eu v6 ungrouped loner.example.com
w* *b* web? web[1-3] [dw]?b1 web* *.com w*:!web1 al* un*
web:db web,db db:web web:&canary web:!canary web:&canary:!web1 !web:web &canary:all !web &canary
db:!web5:&canary web:db:!canary:&region-eu web1:web1:web db2:db canary:db1
web[0] web[-1] web[4] web[1:3] web[2:] web[0:0] web[3:99] web[2:1] web*[0] all[0:2] db[0]:web[1]
web[0:1]:db[-1] !web[0] all:!web[0:2] *[3]
~web[24] ~(web|db)1 ~.*2$ ~web:db ~^d ~(?:web|loner),
2001:db8::1 fe80::2,web1 v6:web 2001:db8::1,!v6,all
empty:web web:!empty web:nothing* all:!same.name same.name same*
localhost web:localhost
"""

LIMITS = [
    ("all", "web"),
    ("web", "db"),
    ("all", "db,web1"),
    ("db:web", "~.*[12]"),
    ("all", "!web"),
    ("all", "all:!canary"),
    ("web:localhost", "localhost"),
]


@pytest.fixture
def inventory(load: Load) -> Inventory:
    return load(HOSTS)


def names(inventory: Inventory, pattern: str, limit: str | None = None) -> list[str]:
    """What is chosen; no hosts, as in Ansible, where that is an error of ours."""
    try:
        return [host.name for host in inventory.select(pattern, limit)]
    except PatternError as exc:
        if "matches no host" in exc.message or "leaves none" in exc.message:
            return []
        raise


def test_patterns_name_the_hosts_that_they_name_in_ansible(inventory: Inventory, ansible: type[Ansible]) -> None:
    theirs = ansible(inventory.where)
    for pattern in PATTERNS.split():
        assert (pattern, names(inventory, pattern)) == (pattern, theirs.select(pattern))


def test_limits_leave_the_hosts_that_they_leave_in_ansible(inventory: Inventory, ansible: type[Ansible]) -> None:
    theirs = ansible(inventory.where)
    for pattern, limit in LIMITS:
        assert (pattern, limit, names(inventory, pattern, limit)) == (pattern, limit, theirs.select(pattern, limit))


def test_a_limit_from_a_file_counts_each_of_its_lines(
    inventory: Inventory, ansible: type[Ansible], tmp_path: Path
) -> None:
    (tmp_path / "failed").write_text("web1\n\ndb*\n  web2  \n!db1\n")
    theirs = ansible(inventory.where).select("all", f"@{tmp_path}/failed")
    assert names(inventory, "all", f"@{tmp_path}/failed") == theirs == ["web1", "web2", "web5", "db2", "db3"]
    assert sorted(names(inventory, f"@{tmp_path}/failed")) == sorted(theirs)


def test_an_empty_limit_is_no_limit(inventory: Inventory) -> None:
    assert names(inventory, "web", "") == names(inventory, "web")


def test_localhost_needs_no_entry_and_is_reached_without_ssh(write: Write) -> None:
    path = write(
        {"hosts.yml": "all: {hosts: {web1: }, vars: {x: 1}}", "group_vars/all.yml": "ansible_connection: ssh\n"}
    )
    (host,) = load_inventory(path).select("localhost")
    assert (host.name, host.groups, dict(host.variables)) == ("localhost", (), {"x": 1, "ansible_connection": "local"})
    assert "localhost" not in load_inventory(path).hosts


def test_every_word_for_this_machine_means_the_one_that_the_inventory_has(load: Load) -> None:
    inventory = load("all: {hosts: {localhost: {ansible_port: 2222}}}")
    assert [host.variables["ansible_port"] for host in inventory.select("127.0.0.1")] == [2222]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("wbe", "no host or group is named 'wbe' in {path}. Did you mean web"),
        ("web:!canry", "no host or group is named 'canry' in {path}. Did you mean canary"),
        ("web:&bd2", "no host or group is named 'bd2' in {path}. Did you mean db2"),
        ("web,nobody", "no host or group is named 'nobody' in {path}"),
        ("wbe[0]", "no host or group is named 'wbe' in {path}"),
        ("zzz*", "pattern 'zzz*' matches no host in {path}"),
        ("empty", "pattern 'empty' matches no host in {path}"),
        ("web:!web", "pattern 'web:!web' matches no host in {path}"),
        ("web[5]", "'web[5]' is outside: web has 5 hosts"),
        ("web[-6]", "'web[-6]' is outside: web has 5 hosts"),
        ("~web[", "'~web[' has a bracket without its other half"),
        ("~web(", "'~web(' is no regular expression"),
        ("web]", "'web]' has a bracket without"),
        ("", "pattern '' names nothing"),
        (",", "pattern ',' names nothing"),
        ("web,!", "'!' names nothing"),
        ("@/no/such/file", "the file '/no/such/file' cannot be read"),
        ("!@/no/such/file", "mixes ! with a file"),
    ],
)
def test_what_a_pattern_cannot_name_is_an_error_that_helps(inventory: Inventory, pattern: str, said: str) -> None:
    with pytest.raises(PatternError) as caught:
        inventory.select(pattern)
    assert said.format(path=inventory.where) in str(caught.value)


def test_a_bracket_in_the_brackets_of_a_regular_expression_is_taken_for_itself_without_a_word(
    inventory: Inventory,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [host.name for host in inventory.select("~[[d]b1")] == ["db1"]


def test_a_file_without_a_host_is_an_error_and_not_all_hosts(inventory: Inventory, tmp_path: Path) -> None:
    (tmp_path / "failed").write_text("\n\n")
    with pytest.raises(PatternError, match="names no host"):
        inventory.select("all", f"@{tmp_path}/failed")


def test_an_unknown_host_in_a_file_is_named_with_its_line(inventory: Inventory, tmp_path: Path) -> None:
    (tmp_path / "failed").write_text("web1\ngone\n")
    with pytest.raises(PatternError, match=r"failed:2: no host or group is named 'gone'"):
        inventory.select(f"@{tmp_path}/failed")


def test_a_limit_that_leaves_nothing_says_what_there_was(inventory: Inventory) -> None:
    with pytest.raises(PatternError, match=r"limit 'db1' leaves none of the 5 hosts of pattern 'web'.* web1, web2"):
        inventory.select("web", "db1")


def test_a_comma_in_a_repetition_is_explained(load: Load) -> None:
    inventory = load("all: {hosts: {app1: , app12: }}")
    with pytest.raises(PatternError, match=r"the comma in its \{\} splits it in two.* ~app\[0-9\]\[0-9\]\?\$ for"):
        inventory.select("~app[0-9]{1,2}$")
    assert len(inventory.select("~app[0-9][0-9]?$")) == 2
    assert len(inventory.select("~app[0-9]{1},app12")) == 2
