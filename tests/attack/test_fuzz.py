"""Whatever is written into answers, inventories, options and plans: a value or a documented error, never a crash."""

from __future__ import annotations

import pytest

from faults.fuzz.__main__ import fuzz
from faults.fuzz.targets import TARGETS, FuzzTarget

INPUTS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_random_words_are_read_or_raise_documented_errors_only(name: str) -> None:
    assert fuzz(TARGETS[name], INPUTS, chosen=1).read > 0


def test_a_crash_is_found() -> None:
    brittle = FuzzTarget(TARGETS["answers of a shell"].words, lambda body: body[0], (ValueError,))
    with pytest.raises(IndexError):
        fuzz(brittle, INPUTS, chosen=1)
