"""A copy of another host, item or time is never restored in place of the one that was asked for."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from remotejobs.cli import main
from remotejobs.model import Record
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, report_of
from remotejobs.operations.backup.copies import fetch
from tests.copies.conftest import Key, Places

FETCH = 'cat "{0}/source/$BACKUP_NAME"'
NAMES = "ls {0}/source"
Restoring = Callable[..., str]


@pytest.fixture
def copy(back_up: Callable[[BackupPlan, Item], Record], places: Places) -> Path:
    """One of an item of source, not encrypted; its host is gone."""
    (places.base / "site").mkdir()
    (places.base / "site" / "page").write_text("first\n")
    item = FilesItem(name="site", hosts="source", base=str(places.base), paths=("site",))
    place = places.elsewhere("rclone", encrypted=False)
    plan = places.plan(None, copies=[], copy_commands=[place], files=[item])
    assert report_of(back_up(plan, item)).warnings == ()
    shutil.rmtree(places.backups)
    (copy,) = (places.remote / "source").glob("site-*")
    return copy


@pytest.fixture
def target(places: Places) -> Path:
    return places.base / "restored"


@pytest.fixture
def refused(copy: Path, inventory: Path, places: Places, target: Path, capsys: pytest.CaptureFixture[str]) -> Restoring:
    """What a restore on third says that is refused, and leaves nothing behind."""

    def run(*more: str, fetch: str = FETCH, names: str = NAMES) -> str:
        words = ["backups", "restore", "third", "-i", str(inventory), "--item", "site", "--to", str(target), "-P", "1"]
        words += ["--directory", str(places.base / "new"), "--copy-of", "source", "--reserve-mib", "0"]
        words += ["--fetch", fetch.format(places.remote), "--names", names.format(places.remote), *more]
        assert main(words) != 0
        assert not target.exists()
        new = places.base / "new"
        assert not (new.exists() and [*new.iterdir()])
        captured = capsys.readouterr()
        return captured.out + captured.err

    return run


def record_of(copy: Path) -> Path:
    return copy.parent / f"_record-{copy.name}"


def forge(copy: Path, **members: Any) -> None:
    record = json.loads(record_of(copy).read_text()) | members
    record_of(copy).write_text(json.dumps({name: value for name, value in record.items() if value is not None}))


def test_a_copy_of_another_host_under_the_same_name_is_refused(copy: Path, refused: Restoring) -> None:
    # As where hosts share a place, and the commands do not read $BACKUP_HOST.
    forge(copy, host="other")
    said = refused()
    assert f"{copy.name}: by its record it is of the host other, not of source" in said
    assert "put $BACKUP_HOST into the commands" in said


def test_no_older_copy_takes_the_place_of_one_whose_record_did_not_come(copy: Path, refused: Restoring) -> None:
    older = copy.with_name("site-20260101T000000Z.tar.gz")
    shutil.copy(copy, older)
    shutil.copy(record_of(copy), record_of(older))
    forge(older, file=older.name)
    unlucky = f"case $BACKUP_NAME in _record-{copy.name}) echo timeout >&2; exit 1 ;; esac; {FETCH}"
    said = refused(fetch=unlucky)
    assert copy.name in said and "ended with 1: timeout" in said
    assert "to restore an older one, name it (file) or its time (at)" in said
    older.write_bytes(b"damaged")  # it is chosen, and then refused
    assert f"fetch {older.name}: failed" in refused("--at", "2026-01-01", fetch=unlucky)


@pytest.mark.parametrize(
    "members",
    [
        {"item": "orders"},
        {"sha256": None},
        {"sha256": "0"},
        {"bytes": True},
        {"bytes": -1},
        {"encrypted": "age", "plain_file": "x", "plain_bytes": "z", "plain_sha256": "0" * 64},
        {"encrypted": "../x"},
        {"plan": "\ud800"},
    ],
    ids=str,
)
def test_a_record_that_does_not_say_what_a_restore_believes_is_refused_before_anything_is_fetched(
    copy: Path, refused: Restoring, members: dict[str, Any]
) -> None:
    forge(copy, **members)
    assert f"{copy.name}: its record cannot be read, or is that of another one" in refused()


def test_a_copy_that_is_not_complete_by_its_record_is_no_good_one(copy: Path, refused: Restoring) -> None:
    forge(copy, complete=False)
    assert "no backup of site is good: incomplete" in refused("--file", copy.name)


def test_a_file_of_another_item_is_refused(copy: Path, refused: Restoring) -> None:
    other = copy.name.replace("site-", "orders-")
    shutil.copy(copy, copy.with_name(other))
    shutil.copy(record_of(copy), record_of(copy.with_name(other)))
    forge(copy.with_name(other), file=other, item="orders")
    assert f"'{other}' is not the name of a backup of site" in refused("--file", other)


def test_words_of_a_command_which_may_be_a_password_are_in_no_message(refused: Restoring) -> None:
    said = refused(names="PASSWORD=hunter2 true")
    assert "there is no backup of site in what the command for names lists" in said
    assert "hunter2" not in said


@pytest.mark.usefixtures("copy")
def test_a_command_that_ignores_the_name_fills_no_disk(refused: Restoring) -> None:
    assert "is longer than any record: it may not read $BACKUP_NAME" in refused(fetch="cat /dev/zero")


@pytest.mark.parametrize("which", ["fetch", "names"])
def test_a_command_that_hangs_is_ended_and_named(
    which: str, refused: Restoring, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_WITHIN", 1)
    pid = places.base / "pid"
    said = refused(**{which: f"echo $$ >{pid}; sleep 3600; true"})
    assert "did not end within 1 seconds" in said
    assert "the command for" in said
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_a_full_disk_is_named_with_what_helps(refused: Restoring, places: Places) -> None:
    reserve = shutil.disk_usage(places.base).free // 1024**2 - 64
    endless = f"case $BACKUP_NAME in _*) {FETCH} ;; *) cat /dev/zero ;; esac"
    said = refused("--reserve-mib", str(reserve), fetch=endless)
    assert "stay free" in said and "give another directory" in said


def test_more_names_than_an_answer_holds_are_no_trouble(copy: Path, refused: Restoring) -> None:
    copy.write_bytes(b"damaged")  # it is chosen, and then refused
    many = f"{NAMES}; head -c 5000000 /dev/zero | tr '\\0' x"
    assert "what came has the sha256" in refused(names=many)


def test_the_job_that_fetches_is_found_by_the_jid_of_the_restore(
    copy: Path, refused: Restoring, inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy.write_bytes(b"damaged")
    jid = f"restore-{uuid4().hex}"
    assert f"by jobs whose jids end in {jid}" in refused("--jid", jid)
    assert main(["list", "third", "-i", str(inventory)]) == 0
    assert re.search(rf"fetch\.[0-9a-f]{{8}}\.{jid} +failed", capsys.readouterr().out)


def test_the_command_that_fetches_a_record_does_not_get_the_identity_that_opens_it(
    back_up: Callable[[BackupPlan, Item], Record], places: Places, age: Key, inventory: Path, item: FilesItem
) -> None:
    place = places.elsewhere("rclone")
    plan = places.plan({"age": [age.recipient]}, copies=[], copy_commands=[place], files=[item])
    assert report_of(back_up(plan, item)).warnings == ()
    seen, new = places.base / "seen", places.base / "new"
    prying = f"{{{{ cat <&3; }}}} >>{seen} 2>/dev/null || :; {FETCH}".format(places.remote)
    words = [
        "backups",
        "restore",
        "third",
        "-i",
        str(inventory),
        "--item",
        "site",
        "--to",
        str(places.base / "restored"),
    ]
    words += ["--directory", str(new), "--copy-of", "source", "--reserve-mib", "0", "-P", "1", "--fetch", prying]
    assert main([*words, "--names", NAMES.format(places.remote), "--identity", str(age.identity)]) == 0
    assert seen.read_bytes() == b""
