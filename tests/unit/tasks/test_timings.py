"""The recovery's waiting times, and how one variable makes all of them longer or shorter."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.errors import UsageError
from remotejobs.prefect.deployments.declared import read
from remotejobs.prefect.tasks.timings import PREFECTS_HEARTBEAT, VARIABLE, Timings

PREFECTS_LEAST = 10  # seconds that a proactive automation waits


def test_without_a_scale_they_are_the_usual_ones() -> None:
    assert Timings.from_environment({}) == Timings.from_environment({VARIABLE: ""}) == Timings()
    assert Timings().heartbeat == PREFECTS_HEARTBEAT


def test_a_scale_of_two_doubles_every_one() -> None:
    doubled = Timings.from_environment({VARIABLE: "2"})
    assert asdict(doubled) == {name: 2 * seconds for name, seconds in asdict(Timings()).items()}


@pytest.mark.parametrize("said", ["0", "-1", "nan", "inf", "1000", "ten", "0,1"])
def test_a_scale_that_is_none_is_named_with_what_to_say(said: str) -> None:
    reported = f"REMOTEJOBS_TIMINGS_SCALE is {said!r}. Give a number from 0.01 to 100, "
    with pytest.raises(UsageError, match=re.escape(reported)):
        Timings.from_environment({VARIABLE: said})


@given(st.floats(0.01, 100))
def test_whatever_the_scale_no_living_run_is_called_dead(factor: float) -> None:
    scaled = Timings().scaled(factor)
    assert scaled.heartbeat_timeout >= PREFECTS_LEAST
    assert min(scaled.heartbeat_timeout, scaled.heartbeat_wait) > min(scaled.heartbeat, PREFECTS_HEARTBEAT)
    assert min(scaled.cancel_log_timeout, scaled.process_exit_timeout) > scaled.cancel_log_interval
    assert scaled.process_exit_timeout > scaled.worker_kill_timeout + scaled.takeover_check_interval
    assert scaled.shard_crash_timeout > scaled.heartbeat_timeout + scaled.heartbeat_wait


def test_the_automations_wait_as_long_as_the_timings_say() -> None:
    within = {automation.name: automation.trigger["within"] for automation in read().automations}
    assert within["Recover runs without heartbeats"] == Timings().heartbeat_timeout
    assert within["Recover runs that were taken and not started"] == Timings().start_timeout


def test_a_waiting_time_that_there_is_not_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    trigger = "{type: event, posture: Proactive, within: '${timings.slience}'}"
    wrong.write_text(f"automations: [{{name: x, trigger: {trigger}, actions: [{{type: do-nothing}}]}}]")
    with pytest.raises(
        UsageError, match=re.escape("automations.0.trigger: Value error, tasks/timings.py has no 'slience'")
    ):
        read(wrong)
