"""A risky job: rolled back when it failed or timed out, and never beside a job that may run on."""

from __future__ import annotations

from pathlib import Path
from random import randrange
from typing import Any

import pytest
from prefect.client.schemas.objects import State as RunState

from lab.servers.web.webhook import Webhook
from remotejobs.model import State
from remotejobs.prefect.flows.examples.with_rollback import with_rollback
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import jobs_on
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.prefect.tasks.notify import NOBODY, Notify
from remotejobs.testing import FakeHosts, Plan


@pytest.fixture
def undone(tmp_path: Path) -> Path:
    """What the rollback leaves, if nothing of the risky job runs any more."""
    return tmp_path / "undone"


def run(access: Access, command: str, undone: Path, **more: Any) -> RunState[JobResult]:
    """LONG in the command is a sleep that nobody else on this machine sleeps."""
    number = str(randrange(10**6, 10**7))
    command = command.replace("LONG", f"sleep {number}")
    # The brackets keep the pattern from finding the rollback itself.
    rollback = f"! pgrep -f 'sleep {number[:-1]}[{number[-1]}]' && touch {undone}"
    state: RunState[JobResult] = with_rollback(
        access, "db1", command, prepare="true", rollback=rollback, poll=1, **more, return_state=True
    )
    return state


def simulated(alert: Notify = NOBODY) -> RunState[JobResult]:
    state: RunState[JobResult] = with_rollback(
        Access(inventory="db1,db2"),
        "db1",
        "risky",
        prepare="prepare",
        rollback="undo",
        poll=1,
        alert=alert,
        return_state=True,
    )
    return state


@pytest.mark.parametrize("plan", [Plan(), Plan(rc=3)])
def test_what_counts_as_good_is_not_rolled_back(fake: FakeHosts, plan: Plan) -> None:
    fake.plan("risky", plan)
    assert simulated().result().succeeded
    assert {start.job.cmd for start in fake.started()} == {"risky", "prepare"}


def assert_reported(state: RunState[JobResult], webhook: Webhook, happened: str) -> None:
    reported = webhook.next()
    assert (reported["flow"], reported["state"]) == ("with-rollback", happened)
    assert reported["message"].startswith("risky on db1: ")
    with pytest.raises(HostsFailed, match="risky on db1"):
        state.result()


@pytest.mark.parametrize("plan", [Plan(rc=1), Plan(stdout="ERROR: half of it\n")])
def test_a_failure_is_rolled_back_and_reported(fake: FakeHosts, webhook: Webhook, plan: Plan) -> None:
    fake.plan("risky", plan)
    state = simulated(Notify(webhook=webhook.url))
    assert {start.job.cmd for start in fake.started()} == {"risky", "prepare", "undo"}
    assert_reported(state, webhook, "failed, rolled back")


def test_a_time_out_is_rolled_back_once_nothing_of_it_runs_and_reported(
    access: Access, webhook: Webhook, undone: Path
) -> None:
    state = run(access, "LONG", undone, limit=1, alert=Notify(webhook=webhook.url))
    assert undone.exists()
    assert_reported(state, webhook, "timed out, rolled back")


def test_a_job_that_may_run_on_is_not_rolled_back(access: Access, webhook: Webhook, undone: Path) -> None:
    state = run(access, "kill -9 $PPID; sleep 60", undone, alert=Notify(webhook=webhook.url))
    with pytest.raises(HostsFailed, match="risky on db1: lost, gone"):
        state.result()
    assert not undone.exists()
    assert webhook.silent
    (lost,) = [record for record in jobs_on(access, "db1").list() if record.state is State.LOST]
    assert jobs_on(access, "db1").kill(lost.jid).state is State.KILLED
