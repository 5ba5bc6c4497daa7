"""Each backup goes to other places: encrypted before it leaves its host, checked on arrival, and seen there again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, Verify, job_of, report_of
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.copies.send import CopyOutcome, copy_backups
from remotejobs.operations.backup.verify import verify_job
from remotejobs.operations.transfer import Moved
from tests.copies.conftest import Key, Places

Back_up = Callable[[BackupPlan, Item], Record]
Copy = Callable[[BackupPlan, Item], CopyOutcome]
Found = Callable[[str, Path], list[CatalogueEntry]]
SECRET = "nobody but the recipients reads this"


@pytest.fixture
def item(tmp_path: Path) -> FilesItem:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "page").write_text(SECRET)
    (tmp_path / "site" / "noise").write_bytes(os.urandom(3 * 1024 * 1024))
    return FilesItem(name="site", hosts="source", base=str(tmp_path), paths=("site",), compress=False)


def test_a_plan_whose_copies_would_leave_their_host_unencrypted_is_refused(item: FilesItem) -> None:
    place = {"name": "offsite", "host": "vault"}
    with pytest.raises(ValidationError, match="name recipients under encryption, or say encrypted: false"):
        BackupPlan.model_validate({"files": [item], "copies": [place]})


def test_a_copy_is_encrypted_and_its_place_is_noted_beside_the_backup(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]}, files=[item])
    record = back_up(plan, item)
    assert record.state is State.SUCCEEDED, record.stderr
    outcome = copy(plan, item)
    assert outcome.problems == ()
    (entry,) = found("source", places.backups)
    (copied,) = entry.copies
    assert (copied,) == outcome.copies
    assert (copied.place, copied.host, copied.encrypted) == ("offsite", "vault", "age")
    assert copied.path == f"{places.copies}/{entry.file}.age"
    content = Path(copied.path).read_bytes()
    assert content.startswith(b"age-encryption.org/v1") and SECRET.encode() not in content
    assert (
        subprocess.run(["sha256sum", "-c", f"{copied.path}.sha256"], cwd=places.copies, capture_output=True).returncode
        == 0
    )
    described = json.loads(Path(f"{copied.path}.json").read_text())
    assert (described["encrypted"], described["plain_file"], described["plain_bytes"]) == (
        "age",
        entry.file,
        entry.bytes,
    )
    assert not [*(places.backups / ".outgoing").iterdir()]


def test_what_a_place_lacks_goes_there_later_and_a_new_place_gets_the_newest_alone(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]}, files=[item], retention={"last": 9})
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
    assert copy(plan, item).problems == ()
    assert [bool(entry.copies) for entry in found("source", places.backups)] == [True, False], older


def test_a_copy_goes_on_where_it_was_cut(
    fleet: Fleet, back_up: Back_up, places: Places, item: FilesItem, found: Found
) -> None:
    plan = places.plan(None, files=[item])
    path = Path(report_of(back_up(plan, item)).path)
    sha256 = Path(f"{path}.sha256").read_text().split()[0]
    incoming = places.copies / ".incoming"
    incoming.mkdir(parents=True)
    half = path.read_bytes()[: 1024 * 1024 + 77]
    (incoming / f".{path.name}.{sha256[:16]}.part").write_bytes(half)
    moved: list[Moved] = []
    assert copy_backups(fleet, "source", plan, item, report=moved.append).problems == ()
    assert moved[0].done == len(half)
    assert (places.copies / path.name).read_bytes() == path.read_bytes()


def test_what_arrives_damaged_is_no_copy_and_the_next_run_sends_it_anew(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, found: Found
) -> None:
    plan = places.plan(None, files=[item])
    path = Path(report_of(back_up(plan, item)).path)
    sha256 = Path(f"{path}.sha256").read_text().split()[0]
    incoming = places.copies / ".incoming"
    incoming.mkdir(parents=True)
    (incoming / f".{path.name}.{sha256[:16]}.part").write_bytes(b"other")
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


def test_a_host_without_the_program_of_the_encryption_keeps_a_good_backup_and_copies_nothing(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, found: Found
) -> None:
    plan = places.plan({"gpg": ["nobody@example.org"]}, files=[item])
    record = back_up(plan, item)
    assert record.state is State.SUCCEEDED
    assert report_of(record).warnings[0].startswith("not encrypted, and so not copied: ")
    assert "does not leave its host" in copy(plan, item).problems[0]
    assert not places.copies.exists() or not found("vault", places.copies)


def test_a_backup_that_could_not_be_encrypted_is_encrypted_when_the_next_copies_are_made(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]}, files=[item], retention={"last": 9})
    wrong = plan.model_copy(
        update={"encryption": plan.encryption and plan.encryption.model_copy(update={"age": ("x",)})}
    )
    back_up(wrong, item)
    (problem,) = copy(wrong, item).problems
    assert "does not leave its host" in problem and "not encrypted, and so not copied" in problem
    outcome = copy(plan, item)
    assert outcome.problems == ()
    (entry,), (copied,) = found("source", places.backups), outcome.copies
    opened = subprocess.run(["age", "-d", "-i", age.identity, copied.path], check=True, capture_output=True).stdout
    assert opened == Path(entry.path).read_bytes()
    record, described = (json.loads(Path(f"{path}.json").read_text()) for path in (entry.path, copied.path))
    assert described == record | {
        "file": f"{entry.file}.age",
        "bytes": Path(copied.path).stat().st_size,
        "sha256": copied.sha256,
        "encrypted": "age",
        "plain_file": entry.file,
        "plain_bytes": entry.bytes,
        "plain_sha256": hashlib.sha256(opened).hexdigest(),
    }


def test_a_backup_that_changed_since_it_was_made_is_not_encrypted(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]}, files=[item])
    back_up(plan, item)
    (entry,) = found("source", places.backups)
    for path in (places.backups / ".outgoing").iterdir():
        path.unlink()
    Path(entry.path).write_bytes(Path(entry.path).read_bytes()[:-1] + b"x")
    assert "is damaged: its sha256 is" in copy(plan, item).problems[0]


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


def test_a_backup_that_cannot_be_encrypted_keeps_back_no_newer_one(
    back_up: Back_up, copy: Copy, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]}, files=[item], retention={"last": 9})
    back_up(plan, item)
    assert copy(plan, item).problems == ()
    wrong = plan.model_copy(
        update={"encryption": plan.encryption and plan.encryption.model_copy(update={"age": ("x",)})}
    )
    middle = report_of(back_up(wrong, item)).path
    Path(f"{middle}.json").unlink()
    back_up(plan, item)
    (problem,) = copy(plan, item).problems
    assert "is not there, or has no record" in problem
    assert [bool(entry.copies) for entry in found("source", places.backups)] == [True, False, True]
    assert copy(plan, item).problems == ()


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


def test_what_a_program_wrote_that_encrypts_nothing_does_not_leave_its_host(
    back_up: Back_up, found: Found, places: Places, item: FilesItem, age: Key, fleet: Fleet, tmp_path: Path
) -> None:
    fake = tmp_path / "bin" / "age"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done; { cat "$3"; echo; } >"$2"\n')
    fake.chmod(0o755)
    plan = places.plan({"age": [age.recipient]}, files=[item])
    job = replace(job_of(plan, item, host="source", jid=uuid4().hex), env={"PATH": f"{fake.parent}:/usr/bin:/bin"})
    fleet.jobs("source").start(job)
    (warning,) = report_of(fleet.jobs("source").record(job.jid, wait=60)).warnings
    assert warning.startswith("not encrypted, and so not copied: it is no file of age")
    assert found("source", places.backups)[0].outgoing is None


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


RCLONE: dict[str, Any] = {
    "send": 'rclone copyto --immutable "$BACKUP_FILE" "{}/$BACKUP_NAME"',
    "fetch": 'rclone cat "{}/$BACKUP_NAME"',
    "remove": 'rclone deletefile "{}/$BACKUP_NAME"',
}
RESTIC: dict[str, Any] = {
    "send": "export RESTIC_PASSWORD=x RESTIC_REPOSITORY={0}; [ -e {0}/config ] || restic -q init; "
    'restic -q backup --tag "$BACKUP_NAME" "$BACKUP_FILE"',
    "fetch": 'RESTIC_PASSWORD=x restic -r {} -q dump --tag "$BACKUP_NAME" latest "$BACKUP_FILE"',
}


@pytest.mark.parametrize("program", [RCLONE, RESTIC], ids=["rclone", "restic"])
def test_a_program_of_the_host_takes_copies_elsewhere_and_what_it_gives_back_is_compared(
    program: dict[str, Any], back_up: Back_up, found: Found, places: Places, item: FilesItem, age: Key
) -> None:
    remote = places.base / "remote"
    place = {name: text.format(remote) for name, text in program.items()} | {"name": "elsewhere"}
    place["retention"] = {"last": 1, "daily": 1, "weekly": 0, "monthly": 0}
    others = {"copies": [], "copy_commands": [place], "files": [item], "retention": {"last": 9}}
    plan = places.plan({"age": [age.recipient]}, **others)
    for _ in range(2):
        record = back_up(plan, item)
        assert (record.state, report_of(record).warnings) == (State.SUCCEEDED, ()), record.stderr
    newest, _ = found("source", places.backups)
    (copied,) = newest.copies
    assert (copied.place, copied.host, copied.path) == ("elsewhere", "", f"{newest.file}.age")
    if program is RCLONE:
        assert [path.name for path in remote.iterdir()] == [copied.path]
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
    place = {"name": "elsewhere", "send": send, "fetch": fetch, "encrypted": False}
    record = back_up(places.plan(None, copies=[], copy_commands=[place], files=[item]), item)
    assert record.state is State.SUCCEEDED
    (warning,) = report_of(record).warnings
    assert warning.startswith(f"not copied to elsewhere: {why}")
    assert not found("source", places.backups)[0].copies


def test_what_lies_on_the_host_itself_is_no_copy(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, age: Key
) -> None:
    plan = places.plan({"age": [age.recipient]}, files=[item], place={"host": "source"})
    back_up(plan, item)
    outcome = copy(plan, item)
    assert (outcome.copies, outcome.problems) == ((), ())
    assert not [*(places.backups / ".outgoing").iterdir()]
