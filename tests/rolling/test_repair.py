"""What survives KILL keeps a host out, in an update and in its repair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remotejobs.connections.local import LocalConnection
from remotejobs.errors import HostRefused
from remotejobs.inventory import load_inventory
from remotejobs.inventory.variables import HostLike
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.balancers import BalancerStatus, LoadBalancer, Place, Standing
from remotejobs.operations.rolling import Update
from remotejobs.operations.rolling.health import HealthCheck
from remotejobs.operations.rolling.history import StepKind, UpdateStep
from remotejobs.operations.rolling.repair import StaysOut, repair
from remotejobs.prefect.tasks.jobs.errors import JobFailed
from remotejobs.prefect.tasks.rolling.errors import LostContact
from remotejobs.prefect.tasks.rolling.host import may_be_at_work

PLAN = Update.model_validate(
    {"version": "2.0", "deploy": "true", "revert": "nothing", "health": {"url": "http://127.0.0.1:9/"}}
)
STEP = UpdateStep(number=1, kind=StepKind.DEPLOY, target="2.0", before="1.0")
UPDATE = "0b7c2b3e"


def record(state: State, survivors: str = "") -> Record:
    return Record(host="web1", jid=STEP.jid(UPDATE), state=state, label=STEP.label, survivors=survivors)


class Immortal(HostJobs):
    """A deployment that runs, and of which something survives."""

    def list(self, *_: Any, **__: Any) -> Any:
        return (record(State.RUNNING),)

    def kill(self, jid: str, *, grace: int | None = None) -> Record:
        return record(State.KILLED, survivors="71(dd)")


class Never(LoadBalancer):
    """A balancer that must not be called."""

    def check(self) -> None:
        raise AssertionError

    def take_out(self, host: HostLike) -> None:
        raise AssertionError(host)

    def put_back(self, host: HostLike, found: Standing | None = None) -> None:
        raise AssertionError(host)

    def put_in(self, host: HostLike) -> None:
        raise AssertionError(host)

    def pools(self, *_: object) -> None:
        raise AssertionError

    def status(self, host: HostLike) -> BalancerStatus:
        return BalancerStatus(inside=False)


def never_asked() -> HealthCheck:
    raise AssertionError


def test_a_host_with_survivors_is_not_put_back_by_the_repair_and_they_are_named(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("all:\n  hosts:\n    web1:\n")
    jobs = Immortal(LocalConnection("web1"))
    with pytest.raises(StaysOut, match=r"survived KILL: 71\(dd\)"):
        repair(load_inventory(inventory).hosts["web1"], jobs, Never(), PLAN, UPDATE, lambda _line: None, never_asked)


class StandsIn(HostJobs):
    """A spare host that was updated."""

    def list(self, *_: Any, **__: Any) -> Any:
        step = replace(STEP, found="app/web1=maint")
        return (Record(host="web1", jid=step.jid(UPDATE), state=State.SUCCEEDED, label=step.label),)


class HasIt(Never):
    def status(self, host: HostLike) -> BalancerStatus:
        return BalancerStatus(inside=True, standing=Standing((Place("app/web1", "ready"),)))


def test_a_spare_host_that_a_dead_run_put_in_stays_there_and_that_is_said(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("all:\n  hosts:\n    web1:\n")
    host, jobs = load_inventory(inventory).hosts["web1"], StandsIn(LocalConnection("web1"))
    said = repair(host, jobs, HasIt(), PLAN, UPDATE, lambda _line: None, never_asked)
    assert said == "it is in the load balancer; it was found maint"


@pytest.mark.parametrize(
    ("step", "error", "at_work"),
    [
        (None, JobFailed(record(State.FAILED)), False),
        (STEP, JobFailed(record(State.TIMED_OUT)), False),
        (None, JobFailed(record(State.TIMED_OUT, survivors="71(dd)")), True),
        (None, LostContact("web1", "contact was lost"), True),
        (None, HostRefused("lb1", "no"), False),
        (STEP, HostRefused("lb1", "no"), True),
    ],
)
def test_only_what_is_proven_dead_lets_a_host_back(step: UpdateStep | None, error: Any, at_work: bool) -> None:
    assert may_be_at_work(step, error) is at_work
