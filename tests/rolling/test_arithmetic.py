"""Batches, budgets and the order of a revert, whatever the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from remotejobs.errors import UsageError
from remotejobs.operations.rolling import Batch, Budget, Update, in_batches, newest_first
from remotejobs.operations.rolling.budget import amount_of

hosts = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=30, unique=True)
sizes = st.integers(1, 40) | st.integers(1, 100).map(lambda number: f"{number}%")
serials = sizes | st.lists(sizes, min_size=1, max_size=4)
amounts = st.integers(0, 40) | st.integers(0, 100).map(lambda number: f"{number}%")


def flat(batches: tuple[Batch, ...]) -> list[str]:
    return [host for batch in batches for host in batch.hosts]


@given(hosts, serials, amounts)
def test_every_host_is_in_one_batch_and_in_order(names: list[str], serial: int | str, canary: int | str) -> None:
    batches = in_batches(names, serial, canary)
    assert flat(batches) == names
    assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))
    assert all(batch.hosts for batch in batches)


@given(hosts, serials, st.integers(1, 40))
def test_canaries_are_alone_in_the_first_batch(names: list[str], serial: int | str, canary: int) -> None:
    first, *others = in_batches(names, serial, canary)
    assert first.canary
    assert first.hosts == tuple(names[:canary])
    assert not any(batch.canary for batch in others)


@given(hosts, serials, amounts, st.sets(st.integers(0, 29)))
def test_a_resumed_update_keeps_its_batches_and_leaves_out_what_is_done(
    names: list[str], serial: int | str, canary: int | str, at: set[int]
) -> None:
    done = {names[number] for number in at if number < len(names)}
    whole = {host: batch.number for batch in in_batches(names, serial, canary) for host in batch.hosts}
    left = in_batches(names, serial, canary, done)
    assert flat(left) == [host for host in names if host not in done]
    assert all(whole[host] == batch.number for batch in left for host in batch.hosts)


@pytest.mark.parametrize(
    ("serial", "cut"),
    [(1, [1, 1, 1, 1]), (3, [3, 1]), ("50%", [2, 2]), ("30%", [1, 1, 1, 1]), ([1, "50%"], [1, 2, 1])],
)
def test_serial_means_what_it_means_in_ansible(serial: int | str | list[int | str], cut: list[int]) -> None:
    assert [len(batch.hosts) for batch in in_batches(["a", "b", "c", "d"], serial)] == cut


def test_a_size_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match="'some'"):
        in_batches(["a"], "some")


@given(st.integers(0, 100), st.integers(0, 1000))
def test_a_percentage_rounds_down_for_failures_and_up_for_the_floor(percent: int, total: int) -> None:
    down, up = amount_of(f"{percent}%", total), amount_of(f"{percent}%", total, round_up=True)
    assert down <= percent * total / 100 <= up
    assert up - down <= 1


@given(amounts, amounts, st.integers(1, 40), st.integers(1, 40), st.integers(0, 40))
def test_a_budget_is_exceeded_by_one_more_and_by_no_less(
    per_batch: int | str, in_all: int | str, batch: int, rest: int, failed: int
) -> None:
    total, failed = batch + rest, min(failed, batch)
    budget = Budget(per_batch=per_batch, in_all=in_all)
    why = budget.exceeded(failed=failed, total=total, failed_in_batch=failed, batch=batch)
    assert bool(why) == (failed > amount_of(per_batch, batch) or failed > amount_of(in_all, total))


def test_no_failure_exceeds_no_budget() -> None:
    assert not Budget().exceeded(failed=0, total=4, failed_in_batch=0, batch=1)
    assert Budget().exceeded(failed=1, total=4, failed_in_batch=1, batch=1) == "1 of 4 hosts failed, 0 may"


@given(hosts, serials, st.sets(st.integers(0, 29)))
def test_a_revert_takes_the_chosen_ones_from_the_newest_on(names: list[str], serial: int | str, at: set[int]) -> None:
    chosen = {names[number] for number in at if number < len(names)}
    reverted = newest_first([batch.hosts for batch in in_batches(names, serial)], chosen)
    assert [host for batch in reverted for host in batch] == [host for host in reversed(names) if host in chosen]
    assert all(reverted)


PLAN = {"version": "2.0", "deploy": "true", "health": {"url": "http://{host}/health"}}


def test_a_plan_that_could_not_be_reverted_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match=r"not known without health.version"):
        Update.model_validate(PLAN)
    assert Update.model_validate(PLAN | {"revert": "nothing"}).serial == 1
    assert Update.model_validate(PLAN | {"revert_command": "rollback"}).revert == "failed"


@pytest.mark.parametrize(
    "wrong", [{"serial": "some"}, {"serial": []}, {"serial": 0}, {"canary": "-1"}, {"floor": "x"}, {"version": "2 0"}]
)
def test_a_plan_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Update.model_validate(PLAN | {"revert": "nothing"} | wrong)
