"""A worker is killed, and the processes of its runs killed, frozen, or left behind. Another worker sees to all."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.prefect_api import Run
from remotejobs.model import State
from tests.resume.conftest import HOSTS, Night, await_true, send
from tests.run_processes import processes

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Victims:
    """Runs that the dead worker had: all their processes dead, one frozen, one alive and the run cancelled."""

    dead: Run
    alone: Run
    frozen: Run
    orphan: Run
    frozen_pids: list[int]


@pytest.fixture(scope="module")
def victims(night: Night) -> Iterator[Victims]:
    night.prefect.end_workers()
    victim = night.prefect.start_worker("victim")
    dead, alone = night.start_command("dead"), night.start_backup("alone")
    frozen, orphan = night.start_command("frozen"), night.start_command("orphan")
    frozen_pids = processes(frozen.id)
    send(signal.SIGKILL, [victim.pid, *processes(dead.id), *processes(alone.id)])
    send(signal.SIGSTOP, frozen_pids)
    night.prefect.start_worker("heir")
    night.api.cancel(orphan)
    yield Victims(dead, alone, frozen, orphan, frozen_pids)
    send(signal.SIGKILL, frozen_pids)


def await_second_try(night: Night, run: Run) -> None:
    await_true(lambda: night.api.flow_run(run).run_count == 2)


def complete(night: Night, run: Run, name: str) -> None:
    """Let the jobs of the run end, and see it end well."""
    night.go(name)
    ended = night.await_state(run, "Completed", "Failed", "Cancelled")
    assert ended.state and ended.state.name == "Completed", ended.state


def test_a_run_whose_worker_and_process_were_killed_ends_on_another_worker_as_it_would_have(
    night: Night, victims: Victims
) -> None:
    await_second_try(night, victims.dead)
    complete(night, victims.dead, "dead")
    assert night.runs_of("dead") == [1, 1, 1]


def test_one_that_may_not_overlap_itself_is_not_kept_out_by_the_place_that_it_held_when_it_died(
    night: Night, victims: Victims
) -> None:
    await_second_try(night, victims.alone)
    complete(night, victims.alone, "alone")
    assert night.runs_of("alone")[0] == 1


def test_a_frozen_process_that_wakes_beside_its_successor_ends_itself_and_nothing_runs_twice(
    night: Night, victims: Victims
) -> None:
    await_second_try(night, victims.frozen)
    send(signal.SIGCONT, victims.frozen_pids)
    await_true(lambda: not set(victims.frozen_pids) & set(processes(victims.frozen.id)))
    assert processes(victims.frozen.id), "its successor goes on"
    complete(night, victims.frozen, "frozen")
    assert night.runs_of("frozen") == [1, 1, 1]


def test_a_run_cancelled_after_its_worker_died_shows_as_cancelled_once_its_jobs_are_proven_dead(
    night: Night, victims: Victims
) -> None:
    ended = night.await_state(victims.orphan, "Completed", "Failed", "Cancelled", "Crashed")
    assert ended.state
    assert (ended.state.name, ended.state.message) == ("Cancelled", "None of its 3 jobs runs any more")
    assert processes(victims.orphan.id) == []
    for host in HOSTS:
        (record,) = night.jobs_of(victims.orphan, host)
        assert (record.state, record.survivors) == (State.KILLED, "")
