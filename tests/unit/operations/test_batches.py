"""Batches are what Ansible's serial makes of a list of hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from remotejobs.errors import UsageError
from remotejobs.operations.batches import Serial, batches, shares, size_of

SIZES = st.one_of(st.integers(1, 50), st.integers(1, 100).map(lambda number: f"{number}%"))


@given(st.lists(st.integers(), max_size=60), st.one_of(SIZES, st.lists(SIZES, min_size=1, max_size=4)))
def test_every_host_is_in_exactly_one_batch_and_in_order(items: list[int], serial: int | str | list[int | str]) -> None:
    cut = batches(items, serial)
    assert [item for batch in cut for item in batch] == items
    assert all(cut)


@given(st.lists(st.integers(), max_size=60), st.integers(1, 100))
def test_every_host_is_in_exactly_one_share_and_shares_are_as_even_as_they_can_be(
    items: list[int], number: int
) -> None:
    cut = shares(items, number)
    assert [item for share in cut for item in share] == items
    sizes = [len(share) for share in cut]
    assert len(sizes) == min(number, len(items))
    assert not sizes or max(sizes) - min(sizes) <= 1


@given(st.integers(1, 200), st.integers(1, 100))
def test_a_percentage_rounds_down_but_never_to_nothing(total: int, percent: int) -> None:
    assert size_of(f"{percent}%", total) == max(1, total * percent // 100)


def test_the_last_size_of_a_list_repeats() -> None:
    assert [len(batch) for batch in batches(range(10), [1, "30%", 2])] == [1, 3, 2, 2, 2]


@pytest.mark.parametrize("serial", [0, -1, "0%", "x", "", "1.5", []])
def test_sizes_that_mean_nothing_are_refused(serial: int | str | list[int | str]) -> None:
    with pytest.raises(UsageError, match="batch"):
        batches([1], serial)


SERIAL: TypeAdapter[int | str | list[int | str]] = TypeAdapter(Serial)


@pytest.mark.parametrize("serial", [1, "25%", [1, "25%"]])
def test_what_a_fleet_can_be_cut_by_is_taken_as_it_is(serial: object) -> None:
    assert SERIAL.validate_python(serial) == serial


@pytest.mark.parametrize("serial", [0, "0%", "many", [], [1, "x"]])
def test_what_no_fleet_can_be_cut_by_is_refused_before_anything_begins(serial: object) -> None:
    with pytest.raises(ValidationError):
        SERIAL.validate_python(serial)
