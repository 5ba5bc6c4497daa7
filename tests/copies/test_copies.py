"""Each backup goes to other hosts: checked on arrival, seen there again, and kept as long as that place says."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ValidationError

from remotejobs.errors import FileRefused
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, Verify, report_of
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.copies import relay, send
from remotejobs.operations.backup.copies.send import CopyOutcome, copy_backups
from remotejobs.operations.backup.verify import verify_job
from remotejobs.operations.transfer import Moved
from remotejobs.operations.transfer.throttle import Throttle
from tests.copies.conftest import Key, Places

Back_up = Callable[[BackupPlan, Item], Record]
Copy = Callable[[BackupPlan, Item], CopyOutcome]
Found = Callable[[str, Path], list[CatalogueEntry]]


def arrived_in_part(places: Places, backup: Path, part: bytes) -> None:
    """What a transfer of `backup` that was cut left at its place."""
    sha256 = Path(f"{backup}.sha256").read_text().split()[0]
    incoming = places.copies / ".incoming"
    incoming.mkdir(parents=True)
    (incoming / f".{backup.name}.{sha256[:16]}.part").write_bytes(part)


def test_what_a_place_lacks_goes_there_later_and_a_new_place_gets_the_newest_alone(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    keeps = {"retention": {"last": 9}}
    plan = places.plan({"age": [age.recipient]}, files=[item], place=keeps, **keeps)
    for _ in range(2):
        assert back_up(plan, item).state is State.SUCCEEDED
    assert copy(plan, item).problems == ()
    assert len(found("vault", places.copies)) == 1
    unknown = plan.model_copy(update={"copies": (plan.copies[0].model_copy(update={"host": "nowhere"}),)})
    back_up(plan, item)
    assert copy(unknown, item).problems == ("not copied to offsite: 'nowhere' is not a host of the inventory",)
    back_up(plan, item)
    copy(plan, item)
    assert [bool(entry.copies) for entry in found("source", places.backups)] == [True, True, True, False]


def test_a_place_keeps_copies_for_as_long_as_its_own_retention_says(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem
) -> None:
    keeps = {"retention": {"last": 1, "daily": 1, "weekly": 0, "monthly": 0}}
    plan = places.plan(None, files=[item], retention={"last": 9}, place=keeps)
    for _ in range(2):
        back_up(plan, item)
        assert copy(plan, item).problems == ()
    newest, older = found("source", places.backups)
    assert [entry.file for entry in found("vault", places.copies)] == [newest.file]
    assert ([bool(newest.copies), bool(older.copies)]) == [True, False]


def test_a_copy_goes_on_where_it_was_cut(
    fleet: Fleet, back_up: Back_up, places: Places, item: FilesItem, found: Found
) -> None:
    plan = places.plan(None, files=[item])
    path = Path(report_of(back_up(plan, item)).path)
    half = path.read_bytes()[: 1024 * 1024 + 77]
    arrived_in_part(places, path, half)
    moved: list[Moved] = []
    assert copy_backups(fleet, "source", plan, item, report=moved.append).problems == ()
    assert moved[0].done == len(half)
    assert (places.copies / path.name).read_bytes() == path.read_bytes()


def test_what_arrived_before_a_cut_needs_no_room_again_and_goes_when_nobody_goes_on_with_it(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem
) -> None:
    plan = places.plan(None, files=[item], place={"min_free_mib": 10**9})
    path = Path(report_of(back_up(plan, item)).path)
    data = path.read_bytes()
    arrived_in_part(places, path, data[: len(data) // 2])
    old, new = (places.copies / ".incoming" / f".{name}.part" for name in ("old", "new"))
    for left in (old, new):
        left.write_text("half")
    os.utime(old, (0, 0))
    (problem,) = copy(plan, item).problems
    assert f" KiB free, and {(len(data) - len(data) // 2) // 1024 + 10**9 * 1024} are needed" in problem
    assert (old.exists(), new.exists()) == (False, True)


def test_a_copy_takes_no_more_of_the_network_than_its_place_allows(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent: list[tuple[int, int]] = []

    class Counted(Throttle):
        def __init__(self, rate: int) -> None:
            super().__init__(rate)
            self.rate = rate

        def spend(self, count: int) -> None:
            spent.append((self.rate, count))

    monkeypatch.setattr(relay, "Throttle", Counted)
    plan = places.plan(None, files=[item], place={"rate_kib": 512})
    record = back_up(plan, item)
    assert copy(plan, item).problems == ()
    assert {rate for rate, _ in spent} == {512 * 1024}
    assert sum(count for _, count in spent) == report_of(record).bytes


def test_a_copy_that_breaks_off_says_how_much_room_there_is(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SFTP's only word for a full disk is "Failure".
    def failing(*_words: object, part: str, **_others: object) -> None:
        raise FileRefused("vault", f"{part}: Failure", remedy="")

    monkeypatch.setattr(send, "relay", failing)
    plan = places.plan(None, files=[item])
    back_up(plan, item)
    (problem,) = copy(plan, item).problems
    assert re.fullmatch(r"not copied to offsite: vault: /.*\.part: Failure; \d+ KiB are free there now", problem)


def test_what_arrives_damaged_is_no_copy_and_the_next_run_sends_it_anew(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, found: Found
) -> None:
    plan = places.plan(None, files=[item])
    path = Path(report_of(back_up(plan, item)).path)
    arrived_in_part(places, path, b"other")
    (problem,) = copy(plan, item).problems
    assert "what arrived has the sha256" in problem and "it was removed" in problem
    assert not found("vault", places.copies) and not found("source", places.backups)[0].copies
    assert copy(plan, item).problems == ()


def test_a_copy_that_a_verification_finds_damaged_counts_no_more(
    fleet: Fleet, back_up: Back_up, copy: Copy, places: Places, item: FilesItem, found: Found, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]}, files=[item])
    back_up(plan, item)
    (copied,) = copy(plan, item).copies

    def verified() -> Record:
        jobs, jid = fleet.jobs("vault"), uuid4().hex
        jobs.start(verify_job(Verify(directory=str(places.base / "copies")), jid=jid))
        return jobs.record(jid, wait=60)

    assert verified().state is State.SUCCEEDED
    (seen,) = copy(plan, item).copies
    assert seen.seen >= copied.seen and seen.at == copied.at
    with Path(copied.path).open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"x" * 10)
    assert "1 of 1 backups are damaged" in verified().stderr.decode()
    # The backup itself is whole: it is encrypted and sent anew.
    outcome = copy(plan, item)
    assert outcome.problems == ()
    (again,) = outcome.copies
    assert again.sha256 == hashlib.sha256(Path(again.path).read_bytes()).hexdigest() != copied.sha256
    assert [entry.good for entry in found("vault", places.copies)] == [True]


def test_nothing_is_copied_to_the_disk_below_a_mount_that_is_not_there(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem
) -> None:
    plan = places.plan(None, files=[item], place={"must_be_mount": str(places.base)})
    back_up(plan, item)
    assert f"nothing is mounted at {places.base}" in copy(plan, item).problems[0]
    assert not places.copies.exists()


def test_a_mount_that_is_not_above_the_directory_of_copies_is_refused(places: Places, item: FilesItem) -> None:
    with pytest.raises(ValidationError, match="must_be_mount: '/mnt' is neither the directory"):
        places.plan(None, files=[item], place={"must_be_mount": "/mnt"})


def test_a_copy_that_was_noted_nowhere_is_read_before_it_counts(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem
) -> None:
    plan = places.plan(None, files=[item])
    path = Path(report_of(back_up(plan, item)).path)
    copy(plan, item)
    note = places.backups / ".copies" / "offsite" / path.name
    note.unlink()
    assert copy(plan, item).problems == () and note.exists()
    note.unlink()
    with (places.copies / path.name).open("r+b") as file:
        file.write(b"x" * 10)
    outcome = copy(plan, item)
    assert outcome.copies == () and not note.exists()
    assert "the copy that is there has the sha256" in outcome.problems[0]
    assert [entry.state for entry in found("vault", places.copies)] == ["damaged"]
    assert copy(plan, item).problems == ()
    assert [entry.state for entry in found("vault", places.copies)] == ["whole"]


def test_a_damaged_copy_stays_marked_until_a_good_one_has_its_name(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem
) -> None:
    plan = places.plan(None, files=[item])
    path = Path(report_of(back_up(plan, item)).path)
    places.copies.mkdir(parents=True)
    for name, text in ((path.name, "other"), (f"{path.name}.sha256", "0 x"), (f"{path.name}.damaged", "it is another")):
        (places.copies / name).write_text(text)
    (places.copies / f"{path.name}.json" / f"{path.name}.json").mkdir(parents=True)  # mv cannot replace it
    (places.copies / f"{path.name}.json" / f"{path.name}.json" / "full").touch()
    assert copy(plan, item).problems
    assert [entry.state for entry in found("vault", places.copies)] == ["damaged"]


def test_a_copy_of_a_backup_that_could_not_be_tested_is_untested_too(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem
) -> None:
    plan = places.plan(None, files=[item])
    path = report_of(back_up(plan, item)).path
    Path(f"{path}.untested").write_text("no room\n")
    copy(plan, item)
    assert [(entry.state, entry.untested) for entry in found("vault", places.copies)] == [("untested", "no room")]


def test_the_record_of_thousands_of_tables_goes_with_its_copy(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem
) -> None:
    plan = places.plan(None, files=[item])
    path = report_of(back_up(plan, item)).path
    record = json.loads(Path(f"{path}.json").read_text())
    record = {"rows": {f"public.table_{number}": number for number in range(9000)}} | record
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(record[name])}" for name in ("record", *record))
    Path(f"{path}.json").write_text(f"{{{lines}}}\n")
    outcome = copy(plan, item)
    assert outcome.problems == ()
    assert json.loads(Path(f"{outcome.copies[0].path}.json").read_text()) == record


def test_what_lies_on_the_host_itself_is_no_copy(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]}, files=[item], place={"host": "source"})
    back_up(plan, item)
    outcome = copy(plan, item)
    assert (outcome.copies, outcome.problems) == ((), ())
    assert not [*(places.backups / ".outgoing").iterdir()]
