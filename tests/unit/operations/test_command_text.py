"""Commands of the run forms that no host could run."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from remotejobs.model import LONGEST_GRACE
from remotejobs.operations.balancers import CommandBalancer
from remotejobs.operations.migration import Commands, Timeouts
from remotejobs.operations.rolling import Update

HEALTH: dict[str, object] = {"url": "http://{host}/"}
UPDATE: dict[str, object] = {"version": "2.0", "deploy": "true", "health": HEALTH, "revert": "nothing"}
WRONG = {"   ": "the command is empty", "a\0b": "holds a NUL byte"}


@pytest.mark.parametrize("command", WRONG)
def test_a_command_that_no_host_could_run_is_refused_before_anything_begins(command: str) -> None:
    words = WRONG[command]
    for step in ("migrate", "verify", "rollback", "verify_rollback", "prepare_rollback"):
        with pytest.raises(ValidationError, match=words):
            Commands.model_validate({"migrate": "true", step: command})
    for name in ("deploy", "revert_command"):
        with pytest.raises(ValidationError, match=words):
            Update.model_validate(UPDATE | {name: command})
    for name in ("remove", "add"):
        with pytest.raises(ValidationError, match=words):
            CommandBalancer.model_validate({name: command})


def test_only_the_first_command_of_a_migration_is_needed() -> None:
    assert Commands(migrate="true").steps == {"migrate"}
    with pytest.raises(ValidationError):
        Commands(migrate="")


def test_a_grace_that_no_job_may_have_is_refused() -> None:
    assert Timeouts(grace=LONGEST_GRACE).grace == LONGEST_GRACE
    with pytest.raises(ValidationError):
        Timeouts(grace=LONGEST_GRACE + 1)


@pytest.mark.parametrize(("stable_for", "deadline"), [(5, 5), (100, 5)])
def test_a_health_that_nothing_could_reach_by_its_deadline_is_refused(stable_for: float, deadline: float) -> None:
    health = HEALTH | {"stable_for": stable_for, "deadline": deadline}
    with pytest.raises(ValidationError, match="deadline must be longer than stable_for"):
        Update.model_validate(UPDATE | {"health": health})
