"""Many words that each have to be refused, in one test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from remotejobs.errors import RemoteJobsError


@contextmanager
def refused(words: str | bytes, error: type[Exception] = RemoteJobsError, match: str = "") -> Iterator[None]:
    """As `pytest.raises`, and it names the words that were not refused, or not with what has to be said."""
    try:
        yield
    except error as exc:
        said = str(exc)
    else:
        pytest.fail(f"{words!r} was not refused")
    assert re.search(match, said), f"{words!r} was refused with {said!r}"
