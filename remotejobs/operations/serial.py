"""How many hosts at a time, as a person writes it in a run form: what no fleet could be cut by is refused at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from remotejobs.errors import UsageError
from remotejobs.operations.batches import size_of

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


Serial = Annotated[Sizes, AfterValidator(_can_be_cut)]  # as Ansible's serial: 2, 25%, or a list whose last repeats
