"""Copies by a program of the host, whose word is not taken for what it did."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, Retention, report_of
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.copies.send import CopyOutcome
from tests.copies.conftest import PROGRAMS, Key, Places

Back_up = Callable[[BackupPlan, Item], Record]
Copy = Callable[[BackupPlan, Item], CopyOutcome]
Found = Callable[[str, Path], list[CatalogueEntry]]
ONE = Retention(last=1, daily=1, weekly=0, monthly=0)


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


def test_what_is_noted_of_copies_stays_as_long_as_there_may_be_some(
    back_up: Back_up, places: Places, item: FilesItem
) -> None:
    # The mark is all that says of a place, which nobody lists, what is to be removed from there.
    place = places.elsewhere("rclone", encrypted=False, records=False, retention={"last": 9})
    plan = places.plan(None, copies=[], copy_commands=[place], files=[item])
    first = Path(report_of(back_up(plan, item)).path).name
    marks = places.backups / ".copies"
    (marks / "offsite").mkdir()
    gone = marks / "offsite" / "site-20200101T000000Z.tar"
    gone.write_text('{"place": "offsite", "host": "vault"}\n')
    for mark in marks.rglob("site-*"):
        os.utime(mark, (0, 0))
    report_of(back_up(plan, item))  # the first one goes
    assert not (places.backups / first).exists() and (marks / "elsewhere" / first).exists()
    assert not gone.exists()
    back_up(
        plan.model_copy(update={"copy_commands": (plan.copy_commands[0].model_copy(update={"retention": ONE}),)}), item
    )
    assert [path.name for path in (places.remote / "source").iterdir()] == [
        path.name for path in places.backups.glob("site-*.tar")
    ]


def plain_place(places: Places, **others: Any) -> dict[str, Any]:
    return places.elsewhere("rclone", encrypted=False, records=False, retention=ONE.model_dump(), **others)


def test_an_old_copy_goes_by_the_name_that_it_was_sent_with_whatever_the_plan_says_by_now(
    back_up: Back_up, places: Places, item: FilesItem, age: Key
) -> None:
    plain = places.plan(None, copies=[], copy_commands=[plain_place(places)], files=[item], retention={"last": 9})
    first = Path(report_of(back_up(plain, item)).path).name
    place = plain_place(places) | {"encrypted": True}
    sealed = places.plan(
        {"age": [age.recipient]}, copies=[], copy_commands=[place], files=[item], retention={"last": 9}
    )
    record = back_up(sealed, item)
    assert report_of(record).warnings == ()
    assert f"removed the copy {first} from elsewhere" in record.stdout.decode()
    newest = f"{Path(report_of(record).path).name}.age"
    assert [path.name for path in (places.remote / "source").iterdir()] == [newest]


def test_a_copy_that_can_neither_be_removed_nor_read_is_not_taken_for_gone(
    back_up: Back_up, found: Found, places: Places, item: FilesItem
) -> None:
    place = plain_place(places)
    plan = places.plan(None, copies=[], copy_commands=[place], files=[item], retention={"last": 9})
    first = Path(report_of(back_up(plan, item)).path).name
    only_new = f"case $BACKUP_NAME in {first}) echo denied >&2; exit 1 ;; esac; {place['fetch']}"
    locked = [place | {"remove": "echo denied >&2; exit 1", "fetch": only_new}]
    for _ in range(2):
        record = back_up(places.plan(None, copies=[], copy_commands=locked, files=[item], retention={"last": 9}), item)
        assert f"the copy {first} cannot be removed from elsewhere: denied" in " ".join(report_of(record).warnings)
        assert (places.backups / ".copies" / "elsewhere" / first).exists()
    assert (places.remote / "source" / first).exists()
    assert [bool(entry.copies) for entry in found("source", places.backups)] == [True] * 3


def test_a_removal_that_a_lost_host_began_is_ended_by_the_next_run_and_by_no_dry_run(
    back_up: Back_up, places: Places, item: FilesItem
) -> None:
    def plan(mode: str) -> BackupPlan:
        place = plain_place(places)
        place["retention"] |= {"mode": mode}
        return places.plan(None, copies=[], copy_commands=[place], files=[item], retention={"last": 9})

    first = Path(report_of(back_up(plan("apply"), item)).path).name
    marks, there = places.backups / ".copies" / "elsewhere", places.remote / "source" / first
    (marks / first).rename(marks / f".going-{first}")
    back_up(plan("dry_run"), item)
    assert there.exists() and (marks / f".going-{first}").exists()
    there.unlink()  # it was removed, and then the host went down
    record = back_up(plan("apply"), item)
    assert report_of(record).warnings == ()
    assert f"removed the copy {first} from elsewhere" in record.stdout.decode()
    assert not (marks / first).exists() and not (marks / f".going-{first}").exists()
