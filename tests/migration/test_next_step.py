"""What a person is told after a cancel: nothing that contradicts itself, and no more than is known."""

from __future__ import annotations

from remotejobs.operations.migration import Place, Seen, Sight, Standing, Step
from remotejobs.prefect.tasks.migration.cancel import next_step


def seen(**steps: Standing) -> Sight:
    return Sight(steps={Place("db1", Step(step)): Seen(standing) for step, standing in steps.items()})


def test_what_only_prepared_a_rollback_changed_no_data() -> None:
    for standing in (Standing.RUNNING, Standing.WELL, Standing.BADLY):
        told = next_step(seen(migrate=Standing.ABSENT, prepare_rollback=standing))
        assert told == "No data were changed yet, and the hosts stay locked. Retry the run: it goes on where it was"


def test_a_lock_that_could_not_be_given_back_is_not_called_free() -> None:
    told = next_step(seen(migrate=Standing.ABSENT), ["db1: no room"])
    assert told == (
        "Nothing was begun on any host, and not every lock could be given back: db1: no room. Start a new run"
    )
    assert "no host is locked by it" in next_step(seen(migrate=Standing.ABSENT))


def test_a_silent_host_is_named_before_all_else() -> None:
    told = next_step(seen(migrate=Standing.BADLY).updated(Sight(unreachable={"db2": "away"})))
    assert told.startswith("db2 could not be asked, and may be changed still")
