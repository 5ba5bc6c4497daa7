"""Laws that hold for whatever is written: for ranges, patterns, and files full of nonsense."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.inventory import expand_hostname_range  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.inventory import Inventory, InventoryError, PatternError, load_inventory
from remotejobs.inventory.forms.names import BadName, expand

HOSTS = [f"h{n}" for n in range(8)]
GROUPS = ["ga", "gb", "gc"]
word = st.sampled_from([*HOSTS, *GROUPS, "all", "*", "h[0-3]x", "h?", "g*", "~h[1-4]", "ga[0]", "ga[0:2]", "all[-1]"])
patterns = st.lists(st.tuples(st.sampled_from(["", "", "&", "!"]), word), min_size=1, max_size=5).map(
    lambda terms: ",".join(sign + text for sign, text in terms) + ","
)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    members = {g: dict.fromkeys(draw(st.lists(st.sampled_from(HOSTS), min_size=1, unique=True))) for g in GROUPS}
    groups: dict[str, Any] = {name: {"hosts": hosts} for name, hosts in members.items()}
    return loaded(yaml.safe_dump({"all": {"hosts": dict.fromkeys(HOSTS), "children": groups}}))


def loaded(text: str) -> Inventory:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hosts.yml"
        path.write_text(text, encoding="utf-8")
        return load_inventory(path)


def chosen(inventory: Inventory, pattern: str, limit: str | None = None) -> list[str]:
    try:
        return [host.name for host in inventory.select(pattern, limit)]
    except PatternError:
        return []


@given(inventories(), st.sampled_from(GROUPS), st.sampled_from(GROUPS))
def test_union_intersection_and_exclusion_are_those_of_sets(inventory: Inventory, a: str, b: str) -> None:
    left, right = set(inventory.groups[a]), set(inventory.groups[b])
    assert set(chosen(inventory, f"{a}:{b}")) == left | right
    assert set(chosen(inventory, f"{a}:&{b}")) == left & right
    assert set(chosen(inventory, f"{a}:!{b}")) == left - right
    assert chosen(inventory, a, b) == chosen(inventory, f"{a}:&{b}")


@given(inventories(), patterns)
def test_a_host_is_chosen_once_and_is_one_of_the_inventory(inventory: Inventory, pattern: str) -> None:
    names = chosen(inventory, pattern)
    assert len(names) == len(set(names))
    assert set(names) <= set(HOSTS)


@given(inventories(), patterns, patterns)
def test_a_limit_only_takes_away_and_keeps_the_order(inventory: Inventory, pattern: str, limit: str) -> None:
    whole, within = chosen(inventory, pattern), set(chosen(inventory, limit))
    assert chosen(inventory, pattern, limit) == [name for name in whole if name in within]


@given(inventories(), st.lists(st.sampled_from(["ga", "!gb", "&gc"]), unique=True, min_size=2).flatmap(st.permutations))
def test_the_order_of_signs_does_not_matter(inventory: Inventory, terms: list[str]) -> None:
    assert chosen(inventory, ":".join(terms)) == chosen(inventory, ":".join(sorted(terms)))


@given(inventories(), st.text(max_size=12))
def test_no_pattern_raises_anything_but_its_own_error(inventory: Inventory, pattern: str) -> None:
    with suppress(PatternError):
        assert inventory.select(pattern)


@given(st.integers(0, 300), st.integers(0, 40), st.integers(1, 7), st.integers(0, 3))
def test_a_numeric_range_counts_from_begin_to_end_in_steps(begin: int, more: int, step: int, zeros: int) -> None:
    end = begin + more
    width = len(str(end)) + zeros if zeros else 0
    names, port = expand(f"a[{str(begin).zfill(width)}:{str(end).zfill(width)}:{step}]z:22")
    assert port == 22
    assert list(names) == [f"a{str(n).zfill(width)}z" for n in range(begin, end + 1, step)]


bounds = st.sampled_from(["1:3", "01:03", "a:c", "X:Z", ":2", "0:4:2", "9:11", "y:B"])


@given(st.lists(bounds, min_size=1, max_size=3), st.sampled_from(["-", ".", "x"]))
def test_several_ranges_in_a_name_expand_as_in_ansible(ranges: list[str], between: str) -> None:
    text = "h" + between.join(f"[{bound}]" for bound in ranges)
    assert list(expand(text)[0]) == expand_hostname_range(text)


@given(st.text(alphabet="[]:0123abzZ-.", max_size=14))
def test_a_name_expands_or_is_refused(text: str) -> None:
    with suppress(BadName):
        assert expand(text)


nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["{{ a }}", "{{", "web[1:2]"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["all", "hosts", "vars", "children", "g", "h[1:2]", "plugin"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(nonsense)
def test_a_nonsensical_structure_raises_nothing_but_the_documented_error(data: object) -> None:
    with suppress(InventoryError):
        read_all(loaded(yaml.safe_dump(data)))


@given(st.text(alphabet="alhost:{}[]!&*<-|>'\"#% \n\t?@,0129.~", max_size=60))
def test_a_nonsensical_text_raises_nothing_but_the_documented_error(text: str) -> None:
    with suppress(InventoryError):
        read_all(loaded(text))


@given(st.text(alphabet="{}%#|[]()'a0 +-.*\\\n", max_size=30))
def test_a_nonsensical_template_raises_nothing_but_the_documented_error(template: str) -> None:
    inventory = loaded(yaml.safe_dump({"all": {"hosts": {"h": {"x": template, "y": f"{{{{ {template} }}}}"}}}}))
    for name in ("x", "y"):
        with suppress(InventoryError):
            inventory.hosts["h"].variables.get(name)


def read_all(inventory: Inventory) -> None:
    for host in inventory.hosts.values():
        for name in host.variables:
            with suppress(InventoryError):
                host.variables.get(name)
