"""The arithmetic of batches, as Ansible's `serial` means it: 3, "25%", or a list whose last element repeats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, TypeVar

from pydantic import AfterValidator

from remotejobs.errors import UsageError

T = TypeVar("T")
_SIZE = re.compile(r"(\d{1,9})(%?)")


def size_of(size: int | str, total: int) -> int:
    """How many of `total` a size such as 3, "3" or "25%" means: at least 1; a percentage rounds down."""
    match = _SIZE.fullmatch(str(size).strip())
    if not match or (number := int(match[1])) < 1:
        raise UsageError(
            f"batch size {size!r} is not understood", remedy="Use a whole number from 1 on, or a percentage."
        )
    return max(1, total * number // 100) if match[2] else number


def batches(items: Sequence[T], serial: int | str | Sequence[int | str]) -> tuple[tuple[T, ...], ...]:
    """Cut `items` into batches, in order. A list of sizes is used one after the other, its last size repeatedly."""
    sizes = [serial] if isinstance(serial, int | str) else list(serial)
    if not sizes:
        raise UsageError("the list of batch sizes is empty", remedy="Give at least one size.")
    cut: list[tuple[T, ...]] = []
    at = 0
    while at < len(items):
        size = size_of(sizes[min(len(cut), len(sizes) - 1)], len(items))
        cut.append(tuple(items[at : at + size]))
        at += size
    return tuple(cut)


def shares(items: Sequence[T], number: int) -> tuple[tuple[T, ...], ...]:
    """Cut `items` into `number` parts, in order, whose sizes differ by one at most; fewer where the items are fewer."""
    number = min(number, len(items))
    ends = [len(items) * part // max(1, number) for part in range(number + 1)]
    return tuple(tuple(items[at:end]) for at, end in pairwise(ends))


Sizes = int | str | list[int | str]


def _can_be_cut(serial: Sizes) -> Sizes:
    sizes = serial if isinstance(serial, list) else [serial]
    if not sizes:
        raise ValueError("the list of batch sizes is empty; give at least one")
    try:
        for size in sizes:
            size_of(size, 1)
    except UsageError as exc:
        raise ValueError(str(exc)) from exc
    return serial


# Ansible's serial in a run form: 2, 25%, or a list whose last repeats. Sizes that cut no fleet are refused at once.
Serial = Annotated[Sizes, AfterValidator(_can_be_cut)]
