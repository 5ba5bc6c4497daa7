"""How a run is split into shards, and when too many hosts failed for another to begin."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from remotejobs.prefect.tasks.runs.shards import WHOLE, Shard, Shards


@pytest.mark.parametrize(
    ("hosts", "workers", "number"), [(60, 2, 4), (5, 8, 1), (35, 8, 3), (2000, 2, 4), (501, 0, 2), (3, 0, 1)]
)
def test_where_nobody_says_how_many_each_worker_gets_two_shards_of_10_to_500_hosts(
    hosts: int, workers: int, number: int
) -> None:
    assert Shards(number=0).number_for(hosts=hosts, workers=workers) == number


def test_as_many_as_somebody_says() -> None:
    assert Shards(number=7).number_for(hosts=60, workers=2) == 7


@pytest.mark.parametrize(
    ("max_failed", "failed", "stops"), [(0, 1, True), (3, 3, False), (3, 4, True), ("10%", 7, True)]
)
def test_more_failed_hosts_than_may_stop_what_has_not_begun(max_failed: int | str, failed: int, stops: bool) -> None:
    assert bool(Shards(number=4, max_failed=max_failed).exceeded(failed=failed, hosts=60)) is stops


def test_without_a_limit_no_number_of_failed_hosts_does() -> None:
    assert Shards(number=4).bears_all
    assert Shards(number=4).exceeded(failed=60, hosts=60) == ""


def test_words_that_are_no_amount_are_refused() -> None:
    with pytest.raises(ValidationError, match="neither a whole number nor a percentage"):
        Shards(max_failed="some")


def test_a_shard_is_about_its_own_hosts_in_the_order_of_the_inventory() -> None:
    shard = Shard(of="a-run", number=2, total=3, hosts=("db2", "db1"))
    assert shard.among(["db1", "db2", "db3"]) == ("db1", "db2")
    assert WHOLE.among(["db1", "db2"]) == ("db1", "db2")


def test_a_shard_whose_hosts_the_inventory_of_its_worker_does_not_name_is_about_none() -> None:
    assert Shard(of="a-run", number=1, total=1, hosts=("gone",)).among(["db1"]) == ()
