"""What a job says of its progress is understood, and nothing is made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.progress import Progress, progress_of, seconds_at_pace


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("40", Progress(40, "")),
        ("40%", Progress(40, "")),
        ("12.5 % copying  orders", Progress(12.5, "copying orders")),
        ("vacuum", Progress(None, "vacuum")),
        ("101", Progress(None, "101")),
        ("3 of 7 tables", Progress(3, "of 7 tables")),
        ("3/7", Progress(None, "3/7")),
        ("  ", None),
    ],
)
def test_a_line_is_a_percentage_a_phase_or_both(line: str, progress: Progress | None) -> None:
    assert progress_of(line) == progress


@given(st.text(max_size=200))
def test_no_line_breaks_it_and_no_percentage_is_beyond_100(line: str) -> None:
    progress = progress_of(line)
    assert progress is None or progress.percent is None or 0 <= progress.percent <= 100


def test_the_time_left_goes_on_at_the_pace_so_far() -> None:
    assert seconds_at_pace(Progress(25), 10) == 30
    assert seconds_at_pace(Progress(100), 10) == 0
    assert seconds_at_pace(Progress(0), 10) is None
    assert seconds_at_pace(Progress(None, "copying"), 10) is None
