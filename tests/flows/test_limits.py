"""Runs share what is declared on the server: a fleet's forks, and turns on a group of hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from tasks.access import Access
from tasks.limits import share_of_forks, turn_of


@flow
def taken(access: Access, names: list[str], hosts: list[str]) -> list[int]:
    """The slots of these limits that are taken while a run holds its own."""
    with share_of_forks(access), turn_of("migration", access, hosts):
        return slots(names)


def slots(names: list[str]) -> list[int]:
    with get_client(sync_client=True) as client:
        return [client.read_global_concurrency_limit_by_name(name).active_slots for name in names]


Declare = Callable[[dict[str, int]], None]


@pytest.fixture
def declare() -> Iterator[Declare]:
    """Declares limits, which are gone afterwards."""
    declared: list[str] = []
    with get_client(sync_client=True) as client:

        def make(limits: dict[str, int]) -> None:
            for name, limit in limits.items():
                client.upsert_global_concurrency_limit_by_name(name, limit)
                declared.append(name)

        yield make
        for name in declared:
            client.delete_global_concurrency_limit_by_name(name)


@pytest.mark.parametrize(("forks", "held"), [(3, 3), (50, 8)])
def test_a_run_holds_as_many_forks_as_it_has_but_never_more_than_there_are(
    access: Access, declare: Declare, forks: int, held: int
) -> None:
    declare({"forks:inventory": 8})
    mine = access.model_copy(update={"forks": forks})
    assert taken(mine, ["forks:inventory"], ["db1"]) == [held]
    assert slots(["forks:inventory"]) == [0]


def test_a_migration_takes_its_turn_on_the_groups_of_its_hosts_and_on_no_others(
    access: Access, declare: Declare
) -> None:
    declare({"migration:databases": 1, "migration:files": 1, "migration:nobody": 1})
    names = ["migration:databases", "migration:files", "migration:nobody"]
    assert taken(access, names, ["db2"]) == [1, 0, 0]
    assert taken(access, names, ["db2", "files1"]) == [1, 1, 0]
    assert slots(names) == [0, 0, 0]
