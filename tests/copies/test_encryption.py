"""What leaves a host is encrypted for its recipients, or does not leave it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ValidationError

from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, job_of, report_of
from remotejobs.operations.backup.catalogue import CatalogueEntry
from remotejobs.operations.backup.copies.send import CopyOutcome
from tests.copies.conftest import SECRET, Key, Places

Back_up = Callable[[BackupPlan, Item], Record]
Copy = Callable[[BackupPlan, Item], CopyOutcome]
Found = Callable[[str, Path], list[CatalogueEntry]]


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
    # The newest comes first. The place keeps one of a day.
    assert [bool(entry.copies) for entry in found("source", places.backups)] == [True, False, False]
    assert copy(plan, item).problems == ()


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
