"""The bandwidth limit, by a clock that only sleeping moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remotejobs.operations.transfer import Throttle


class ManualClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=50), st.integers(1, 10**7))
def test_what_was_taken_is_paid_for_before_more_is_taken(counts: list[int], rate: int) -> None:
    clock = ManualClock()
    throttle = Throttle(rate, clock=clock, sleep=clock.sleep)
    for count in counts:
        throttle.spend(count)
    assert clock.now >= sum(counts[:-1]) / rate * 0.999
    assert clock.now <= sum(counts) / rate * 1.001


def test_time_in_which_nothing_was_taken_is_not_saved_up() -> None:
    clock = ManualClock()
    throttle = Throttle(100, clock=clock, sleep=clock.sleep)
    throttle.spend(100)
    clock.now = 1000
    throttle.spend(100)
    throttle.spend(100)
    assert clock.now == 1001


def test_without_a_rate_nobody_waits() -> None:
    clock = ManualClock()
    Throttle(0, clock=clock, sleep=clock.sleep).spend(10**12)
    assert clock.now == 0
