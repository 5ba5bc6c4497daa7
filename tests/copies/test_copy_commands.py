"""Copies by a program of the host, whose word is not taken for what it did."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, report_of
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.copies.send import CopyOutcome
from tests.copies.conftest import PROGRAMS, Key, Places

Back_up = Callable[[BackupPlan, Item], Record]
Copy = Callable[[BackupPlan, Item], CopyOutcome]
Found = Callable[[str, Path], list[CatalogueEntry]]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_host_takes_copies_elsewhere_and_what_it_gives_back_is_compared(
    program: str, back_up: Back_up, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    place: dict[str, Any] = places.elsewhere(program)
    place["retention"] = {"last": 1, "daily": 1, "weekly": 0, "monthly": 0}
    others = {"copies": [], "copy_commands": [place], "files": [item], "retention": {"last": 9}}
    plan = places.plan({"age": [age.recipient]}, **others)
    for _ in range(2):
        record = back_up(plan, item)
        assert (record.state, report_of(record).warnings) == (State.SUCCEEDED, ()), record.stderr
    newest, _ = found("source", places.backups)
    (copied,) = newest.copies
    assert (copied.place, copied.host, copied.path) == ("elsewhere", "", f"{newest.file}.age")
    there = subprocess.run(places.command(program, "names"), shell=True, check=True, capture_output=True, text=True)
    names = set(re.findall(r"(?:_record-)?site-\d{8}T\d{6}Z[.\w]*", there.stdout))
    assert names == {f"_record-{copied.path}", copied.path}
    assert not [*(places.backups / ".outgoing").iterdir()]


@pytest.mark.parametrize(
    ("send", "fetch", "why"),
    [
        ("true", "echo other", "what fetch gives has the sha256"),
        ("exit 3", "true", "send failed"),
        ("true", 'cat "$BACKUP_FILE"; false', "what fetch gives has the sha256"),
    ],
)
def test_a_program_that_says_it_went_well_is_not_believed(
    send: str, fetch: str, why: str, back_up: Back_up, found: Found, places: Places, item: FilesItem
) -> None:
    place = {"name": "elsewhere", "send": send, "fetch": fetch, "encrypted": False, "records": False}
    record = back_up(places.plan(None, copies=[], copy_commands=[place], files=[item]), item)
    assert record.state is State.SUCCEEDED
    (warning,) = report_of(record).warnings
    assert warning.startswith(f"not copied to elsewhere: {why}")
    assert not found("source", places.backups)[0].copies
