"""Runs share what is declared on the server: a fleet's forks, and turns on a group of hosts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.concurrency.sync import concurrency

from remotejobs.operations.migration import Commands
from remotejobs.prefect.flows.migration import migration
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.limits import fork_slots, group_slots


@flow
def taken(access: Access, names: list[str], hosts: list[str]) -> list[int]:
    """The slots of these limits that are taken while a run holds its own."""
    with fork_slots(access), group_slots("migration", access, hosts):
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


def test_a_limit_counts_however_many_others_there_are(access: Access, declare: Declare) -> None:
    with get_client(sync_client=True) as client:  # more than an answer of the server lists; they harm nobody later
        for number in range(201):
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=f"another-{number:03}", limit=1))
    declare({"forks:inventory": 8, "migration:databases": 1})
    mine = access.model_copy(update={"forks": 3})
    assert taken(mine, ["forks:inventory", "migration:databases"], ["db1"]) == [3, 1]


def test_a_limit_that_was_switched_off_limits_nothing(access: Access, declare: Declare) -> None:
    declare({"forks:inventory": 8})
    with get_client(sync_client=True) as client:
        client.update_global_concurrency_limit("forks:inventory", GlobalConcurrencyLimitUpdate(active=False))
    assert taken(access, ["forks:inventory"], ["db1"]) == [0]


def test_a_migration_that_waits_for_its_turn_keeps_no_forks_from_others(access: Access, declare: Declare) -> None:
    declare({"forks:inventory": 8, "migration:databases": 1})
    waits, ended = threading.Event(), []
    given = {"access": access, "hosts": "db1", "commands": Commands(migrate="true"), "poll": 1}
    waiting = threading.Thread(target=lambda: ended.append(migration(**given, return_state=True)))
    with concurrency("migration:databases"), logged("waiting for 1 slots of migration:databases", waits):
        waiting.start()
        assert waits.wait(60)
        assert slots(["forks:inventory"]) == [0]
    waiting.join(60)
    assert [state.name for state in ended] == ["Completed"]


@contextmanager
def logged(words: str, event: threading.Event) -> Iterator[None]:
    """Sets `event` when a flow run logs `words`."""

    def heed(record: logging.LogRecord) -> bool:
        if words in record.getMessage():
            event.set()
        return True

    logger = logging.getLogger("prefect.flow_runs")
    logger.addFilter(heed)
    yield
    logger.removeFilter(heed)
