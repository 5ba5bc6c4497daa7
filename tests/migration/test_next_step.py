"""What a person reads after a cancel: nothing that contradicts itself, and no more than is known."""

from __future__ import annotations

from remotejobs.operations.migration import HostStep, MigrationStep, ObservedState, ObservedStep, StepStatus
from remotejobs.prefect.tasks.migration.cancel import next_step


def seen(**steps: StepStatus) -> ObservedState:
    return ObservedState(
        steps={HostStep("db1", MigrationStep(step)): ObservedStep(status) for step, status in steps.items()}
    )


def test_what_only_prepared_a_rollback_changed_no_data() -> None:
    for status in (StepStatus.RUNNING, StepStatus.SUCCEEDED, StepStatus.FAILED):
        advice = next_step(seen(migrate=StepStatus.ABSENT, prepare_rollback=status))
        assert advice == "No data were changed yet, and the hosts stay locked. Retry the run: it goes on where it was"


def test_a_lock_that_could_not_be_given_back_is_not_called_free() -> None:
    advice = next_step(seen(migrate=StepStatus.ABSENT), ["db1: no room"])
    assert advice == (
        "Nothing was started on any host, and not every lock could be given back: db1: no room. Start a new run"
    )
    assert "no host is locked by it" in next_step(seen(migrate=StepStatus.ABSENT))


def test_a_silent_host_is_named_before_all_else() -> None:
    advice = next_step(seen(migrate=StepStatus.FAILED).updated(ObservedState(unreachable={"db2": "away"})))
    assert advice.startswith("db2 could not be asked, and may be changed still")
