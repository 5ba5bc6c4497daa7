"""A risky job: rolled back when it failed or timed out, and never beside a job that may run on."""

from __future__ import annotations

from pathlib import Path
from random import randrange
from typing import Any

import pytest
from prefect.client.schemas.objects import State as RunState

from flows.examples.with_rollback import with_rollback
from lab.webhook import Webhook
from remotejobs.model import State
from tasks.access import Access
from tasks.connections import jobs_on
from tasks.ends import End
from tasks.errors import HostsFailed
from tasks.notify import Notify


@pytest.fixture
def undone(tmp_path: Path) -> Path:
    """What the rollback leaves, if nothing of the risky job runs any more."""
    return tmp_path / "undone"


def run(access: Access, command: str, undone: Path, **more: Any) -> RunState[End]:
    """LONG in the command is a sleep that nobody else on this machine sleeps."""
    number = str(randrange(10**6, 10**7))
    command = command.replace("LONG", f"sleep {number}")
    # The brackets keep the pattern from finding the rollback itself.
    rollback = f"! pgrep -f 'sleep {number[:-1]}[{number[-1]}]' && touch {undone}"
    state: RunState[End] = with_rollback(
        access, "db1", command, prepare="true", rollback=rollback, poll=0.1, **more, return_state=True
    )
    return state


@pytest.mark.parametrize("command", ["true", "exit 3"])
def test_what_counts_as_good_is_not_rolled_back(access: Access, undone: Path, command: str) -> None:
    assert run(access, command, undone).result().succeeded
    assert not undone.exists()


@pytest.mark.parametrize(
    ("command", "happened"),
    [
        ("exit 1", "failed, rolled back"),
        ("echo ERROR: half of it", "failed, rolled back"),
        ("LONG", "timed out, rolled back"),
    ],
)
def test_a_failure_or_a_time_out_is_rolled_back_and_told(
    access: Access, webhook: Webhook, undone: Path, command: str, happened: str
) -> None:
    state = run(access, command, undone, limit=1 if command == "LONG" else 60, alert=Notify(webhook=webhook.url))
    assert undone.exists()
    told = webhook.next()
    assert (told["flow"], told["state"]) == ("with-rollback", happened)
    assert told["message"].startswith("risky on db1: ")
    with pytest.raises(HostsFailed, match="risky on db1"):
        state.result()


def test_a_job_that_may_run_on_is_not_rolled_back(access: Access, webhook: Webhook, undone: Path) -> None:
    state = run(access, "kill -9 $PPID; sleep 60", undone, alert=Notify(webhook=webhook.url))
    with pytest.raises(HostsFailed, match="risky on db1: lost, gone"):
        state.result()
    assert not undone.exists()
    assert webhook.silent
    (lost,) = [record for record in jobs_on(access, "db1").list() if record.state is State.LOST]
    assert "proven empty" in jobs_on(access, "db1").kill(lost.jid).msg
