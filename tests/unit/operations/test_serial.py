"""Batch sizes in a run form."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from remotejobs.operations.serial import Serial

SERIAL: TypeAdapter[int | str | list[int | str]] = TypeAdapter(Serial)


@pytest.mark.parametrize("serial", [1, "25%", [1, "25%"]])
def test_what_a_fleet_can_be_cut_by_is_taken_as_it_is(serial: object) -> None:
    assert SERIAL.validate_python(serial) == serial


@pytest.mark.parametrize("serial", [0, "0%", "many", [], [1, "x"]])
def test_what_no_fleet_can_be_cut_by_is_refused_before_anything_begins(serial: object) -> None:
    with pytest.raises(ValidationError):
        SERIAL.validate_python(serial)
