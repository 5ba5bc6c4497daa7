"""What a program took elsewhere is fetched on another host, and restored only where it is what its record says."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from remotejobs.cli import main
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, Restore, report_of
from tests.copies.conftest import PROGRAMS, Key, Places

Back_up = Callable[[BackupPlan, Item], Record]
Restoring = Callable[..., int]


@pytest.fixture
def item(tmp_path: Path) -> FilesItem:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "page").write_text("first\n")
    return FilesItem(name="site", hosts="source", base=str(tmp_path), paths=("site",))


@pytest.fixture
def target(places: Places) -> Path:
    return places.base / "restored"


@pytest.fixture
def restore(places: Places, inventory: Path, target: Path) -> Restoring:
    """Restores on third, where nothing is known of the backup but the commands of the plan."""

    def run(program: str, *more: str, names: bool = True) -> int:
        words = ["backups", "restore", "third", "-i", str(inventory), "--item", "site", "--to", str(target)]
        words += ["--directory", str(places.base / "new"), "--reserve-mib", "0", "-P", "1", "--copy-of", "source"]
        commands = {what: text.format(places.remote) for what, text in PROGRAMS[program].items()}
        words += ["--fetch", commands["fetch"], *(["--names", commands["names"]] if names else [])]
        return main([*words, *more])

    return run


def plan_of(places: Places, item: FilesItem, place: dict[str, Any], key: Key | None = None) -> BackupPlan:
    encryption = {"age": [key.recipient]} if key else None
    others = {"copies": [], "copy_commands": [place], "files": [item], "retention": {"last": 9}}
    return places.plan(encryption, **others)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_newest_copy_is_fetched_checked_opened_and_restored_when_its_host_is_gone(
    program: str,
    back_up: Back_up,
    restore: Restoring,
    places: Places,
    item: FilesItem,
    age: Key,
    target: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = plan_of(places, item, places.elsewhere(program), age)
    for text in ("first\n", "second\n"):
        (places.base / "site" / "page").write_text(text)
        record = back_up(plan, item)
        assert (record.state, report_of(record).warnings) == (State.SUCCEEDED, ()), record.stderr
    shutil.rmtree(places.base / "site")
    shutil.rmtree(places.backups)
    memory = [*Path("/dev/shm").glob("rj_*")]
    assert restore(program, "--identity", str(age.identity)) == 0, capsys.readouterr()
    assert (target / "site" / "page").read_text() == "second\n"
    assert not [*(places.base / "new").iterdir()]
    assert [*Path("/dev/shm").glob("rj_*")] == memory


@pytest.fixture
def copied(back_up: Back_up, places: Places, item: FilesItem) -> Path:
    """A copy that is not encrypted; its host is gone."""
    record = back_up(plan_of(places, item, places.elsewhere("rclone", encrypted=False)), item)
    assert report_of(record).warnings == (), record.stdout
    shutil.rmtree(places.backups)
    (copy,) = (places.remote / "source").glob("site-*")
    return copy


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return captured.out + captured.err


def damage(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-1] + b"x")


def test_a_copy_that_is_not_what_its_record_says_is_restored_to_nowhere(
    copied: Path, restore: Restoring, places: Places, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(copied)
    assert restore("rclone") != 0
    assert "what came has the sha256" in said(capsys)
    assert not target.exists()
    assert not [*(places.base / "new").iterdir()]


def test_what_is_cut_off_by_a_command_that_fails_is_restored_to_nowhere(
    copied: Path, inventory: Path, places: Places, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["backups", "restore", "third", "-i", str(inventory), "--item", "site", "--to", str(target), "-P", "1"]
    fetch = f'cat "{copied.parent}/$BACKUP_NAME"; case $BACKUP_NAME in _*) ;; *) echo gone away >&2; exit 3 ;; esac'
    words += ["--directory", str(places.base / "new"), "--reserve-mib", "0", "--file", copied.name, "--fetch", fetch]
    assert main([*words, "--copy-of", "source"]) != 0
    assert "the command ended with 3: gone away" in said(capsys)
    assert not target.exists()


def test_without_its_record_a_copy_takes_the_checksum_that_the_table_of_the_run_has(
    copied: Path, restore: Restoring, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copied.parent / f"_record-{copied.name}").unlink()
    assert restore("rclone") != 0
    assert "give its name and its sha256, which the run's table has" in said(capsys)
    assert restore("rclone", "--file", copied.name, "--sha256", "0" * 64) != 0
    assert "what came has the sha256" in said(capsys)
    assert not target.exists()
    known = subprocess.run(["sha256sum", copied], check=True, capture_output=True, text=True).stdout.split()[0]
    assert restore("rclone", "--file", copied.name, "--sha256", known, names=False) == 0
    assert (target / "site" / "page").read_text() == "first\n"


def test_an_encrypted_copy_without_its_record_is_compared_when_it_is_open(
    back_up: Back_up,
    restore: Restoring,
    places: Places,
    item: FilesItem,
    age: Key,
    target: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = back_up(plan_of(places, item, places.elsewhere("rclone", records=False), age), item)
    (copy,) = (places.remote / "source").iterdir()
    given = ["--file", copy.name, "--identity", str(age.identity), "--sha256"]
    assert restore("rclone", *given, "0" * 64) != 0
    assert f"decrypted it has the sha256 {report_of(record).sha256}" in said(capsys)
    assert not target.exists()
    assert restore("rclone", *given, report_of(record).sha256) == 0
    assert (target / "site" / "page").read_text() == "first\n"


def test_a_copy_that_somebody_else_encrypted_for_the_same_recipient_is_refused_by_the_checksum(
    copied: Path, restore: Restoring, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Its record is forged with it.
    assert restore("rclone", "--sha256", "1" * 64) != 0
    assert "none of 1 backups of site is dated until now and has the sha256 1111" in said(capsys)
    assert not target.exists()
    assert copied.exists()


def test_the_record_of_an_encrypted_copy_says_nothing_to_others(
    back_up: Back_up, places: Places, item: FilesItem, age: Key
) -> None:
    back_up(plan_of(places, item, places.elsewhere("rclone"), age), item)
    (record,) = (places.remote / "source").glob("_record-*")
    assert record.read_bytes().startswith(b"age-encryption.org/v1")


def test_a_record_of_another_backup_is_not_believed(
    copied: Path, restore: Restoring, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = copied.parent / f"_record-{copied.name}"
    record.write_text(record.read_text().replace(copied.name, "site-20200101T000000Z.tar.gz"))
    assert restore("rclone") != 0
    assert "its record cannot be read, or is that of another one" in said(capsys)
    assert not target.exists()


def test_a_dry_run_shows_the_copy_and_fetches_none_of_it(
    copied: Path, restore: Restoring, places: Places, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(copied)  # nobody reads it
    assert restore("rclone", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert copied.name in shown and "  whole by its record  " in shown
    (copied.parent / f"_record-{copied.name}").unlink()
    assert restore("rclone", "--dry-run", "--file", copied.name, "--sha256", "0" * 64, names=False) == 0
    assert re.search(rf"{copied.name} .*  unknown  unknown  ", capsys.readouterr().out)
    assert not target.exists() and not (places.base / "new").exists()


def test_a_record_that_cannot_be_sent_costs_no_copy(back_up: Back_up, places: Places, item: FilesItem) -> None:
    place = places.elsewhere("rclone", encrypted=False)
    place["send"] = f"case $BACKUP_NAME in _*) echo no room >&2; exit 1 ;; esac; {place['send']}"
    report = report_of(back_up(plan_of(places, item, place), item))
    (warning,) = report.warnings
    assert warning.startswith("without its record in elsewhere")
    assert "no room" in warning
    assert len([*(places.remote / "source").iterdir()]) == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"fetch": "cat x"}, "fetch: give names or file too"),
        ({"fetch": "cat x", "names": "ls", "copy_on": "vault"}, "and no copy_on"),
        ({"names": "ls"}, "names: give fetch too"),
    ],
)
def test_half_of_a_place_is_refused(given: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Restore.model_validate({"item": "site", "to": "/srv/site", **given})
