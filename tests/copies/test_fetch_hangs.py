"""A copy that does not come is ended: by its idle timeout, or by a person. Nothing stays, and the next try has it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from remotejobs.cli import main
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item, report_of
from tests.awaiting import await_true
from tests.cli.running import begin
from tests.copies.conftest import Places

Words = Callable[..., list[str]]
ITS_RECORD = 'case $BACKUP_NAME in _*) exec cat "{0}/$BACKUP_NAME" ;; esac; '


@pytest.fixture
def copy(back_up: Callable[[BackupPlan, Item], Record], places: Places, item: FilesItem) -> Path:
    """One of an item of source, not encrypted; its host is gone."""
    place = places.elsewhere("rclone", encrypted=False)
    assert report_of(back_up(places.plan(None, copies=[], copy_commands=[place], files=[item]), item)).warnings == ()
    shutil.rmtree(places.backups)
    (copy,) = (places.remote / "source").glob("site-*")
    return copy


@pytest.fixture
def words(copy: Path, places: Places, inventory: Path) -> Words:
    """A restore on third, where the copy comes by a command."""

    def of(fetch: str, *more: str) -> list[str]:
        given = ["backups", "restore", "third", "-i", str(inventory), "--item", "site", "-P", "1"]
        given += ["--to", str(places.base / "restored"), "--directory", str(places.base / "new"), "--reserve-mib", "0"]
        fetch = (ITS_RECORD + fetch).format(copy.parent)
        return [*given, "--copy-of", "source", "--file", copy.name, "--fetch", fetch, *more]

    return of


def nothing_left(places: Places) -> bool:
    return not (places.base / "restored").exists() and not [*(places.base / "new").iterdir()]


def test_a_fetch_that_gives_no_more_bytes_is_ended_and_says_how_far_it_came(
    words: Words, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    pid = places.base / "pid"
    hangs = f'head -c 1000 "{{0}}/$BACKUP_NAME"; echo no route >&2; echo $$ >{pid}; exec sleep 3600'
    assert main(words(hangs, "--idle-timeout", "3")) != 0
    captured = capsys.readouterr()
    said = " ".join((captured.out + captured.err).split())
    assert "stalled: no output for 3 s" in said
    assert "it was ended when 1000 bytes had come; the command said: no route" in said
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    assert nothing_left(places)


def test_a_fetch_that_is_slow_and_gives_bytes_is_not_ended(words: Words, copy: Path, places: Places) -> None:
    ticks = 'split -n 8 --filter="sleep 1; cat" "{0}/$BACKUP_NAME"'
    assert main(words(ticks, "--idle-timeout", "4")) == 0
    assert (places.base / "restored" / "site" / "page").exists()


def test_a_fetch_that_a_person_kills_leaves_nothing_and_the_same_jid_goes_on(
    words: Words, fleet: Fleet, inventory: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    began, jid = places.base / "began", f"restore-{uuid4().hex}"
    restoring = begin(*words(f'head -c 1000 "{{0}}/$BACKUP_NAME"; echo $$ >{began}; exec sleep 3600', "--jid", jid))
    await_true(began.exists)
    (fetching,) = [job for job in fleet.jobs("third").list() if job.jid.endswith(jid)]
    assert (fetching.state, fetching.jid.split(".")[0]) == (State.RUNNING, "fetch")
    assert main(["kill", "third", fetching.jid, "-i", str(inventory)]) == 0
    out, err = restoring.communicate(timeout=120)
    assert restoring.returncode != 0
    said = " ".join((out + err).split())
    assert "killed on request; its process tree is proven empty" in said
    assert "it was ended when 1000 bytes had come" in said
    assert nothing_left(places)
    assert not Path(f"/proc/{began.read_text().strip()}").exists()
    assert main(words('cat "{0}/$BACKUP_NAME"', "--jid", jid)) == 0
    assert (places.base / "restored" / "site" / "page").exists()
