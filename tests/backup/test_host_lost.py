"""A host that loses its power at any step of a backup has lost no good one, and its next run makes another."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, Retention, report_of
from remotejobs.operations.backup.catalogue import CatalogueEntry, backups_on
from remotejobs.operations.backup.plan import CommandCopy, Encryption
from tests.awaiting import await_true
from tests.steps import Clock, Steps, lose

Back_up = Callable[..., Record]
Begin = Callable[..., str]
ITEM = CommandItem(name="thing", hosts="here", command="cat source", check="grep -q line", extension="txt")
TWO = Retention(last=1, daily=2, weekly=0, monthly=0)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    (tmp_path / "remote").mkdir()
    return tmp_path / "remote"


@pytest.fixture
def item(tmp_path: Path) -> CommandItem:
    (tmp_path / "source").write_text("line\n" * 1000)
    return ITEM.model_copy(update={"command": f"cat {tmp_path}/source"})


@pytest.fixture
def plan(remote: Path, tmp_path: Path) -> dict[str, Any]:
    """Encrypted copies in a place that a command reaches, of which the last two days stay as well."""
    place = CommandCopy(
        name="elsewhere",
        send=f'cp "$BACKUP_FILE" {remote}/',
        fetch=f'cat "{remote}/$BACKUP_NAME"',
        remove=f'rm "{remote}/$BACKUP_NAME"',
        retention=TWO,
    )
    subprocess.run(["age-keygen", "-o", tmp_path / "identity"], check=True, capture_output=True)
    recipient = subprocess.run(["age-keygen", "-y", tmp_path / "identity"], check=True, capture_output=True, text=True)
    encryption = Encryption(age=(recipient.stdout.strip(),))
    return {"name": "nightly", "retention": TWO, "copy_commands": (place,), "encryption": encryption}


@pytest.fixture
def nights(back_up: Back_up, item: CommandItem, plan: dict[str, Any], tmp_path: Path, directory: Path) -> None:
    """The backups of three nights, of which the first went with the third."""
    clock = Clock(tmp_path)
    for night in ("-3 days", "-2 days", "-1 days"):
        clock.set(night)
        record = back_up(item, env=clock.env, **plan)
        assert (record.state, report_of(record).warnings) == (State.SUCCEEDED, ()), record.stderr
    assert len([*directory.glob("thing-*.txt")]) == 2


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def good(shell: Shell, directory: Path, remote: Path) -> list[CatalogueEntry]:
    """The backups that count, once all that is said of them and of their copies was seen to be so."""
    entries = [entry for entry in backups_on(shell, str(directory)) if entry.good]
    for entry in entries:
        path = Path(entry.path)
        assert entry.record and entry.record["sha256"] == sha256(path)
        assert Path(f"{path}.sha256").read_text() == f"{sha256(path)}  {path.name}\n"
        for copied in entry.copies:
            assert copied.sha256 == sha256(remote / copied.path)
    return entries


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slowest)])
@pytest.mark.usefixtures("nights")
def test_a_host_that_is_lost_before_any_step_loses_no_good_backup_and_makes_another_one_later(
    jobs: HostJobs,
    begin: Begin,
    back_up: Back_up,
    shell: Shell,
    item: CommandItem,
    plan: dict[str, Any],
    directory: Path,
    remote: Path,
    tmp_path: Path,
    every: int,
) -> None:
    steps, before, stopped = Steps(tmp_path), tmp_path / "before", []
    for each in (directory, remote):
        shutil.copytree(each, before / each.name)
    for number in count(1, every):
        jid = begin(item, env=steps.env(f"{number} *"), **plan)
        await_true(lambda jid=jid: steps.reached.exists() or jobs.record(jid).finished)  # type: ignore[misc]
        if not steps.reached.exists():
            break
        stopped.append(steps.last)
        lose(jobs.record(jid))
        assert jobs.record(jid).state is State.LOST
        assert len(good(shell, directory, remote)) >= 2, stopped[-1]
        again = back_up(item, **plan)
        assert (again.state, report_of(again).warnings) == (State.SUCCEEDED, ()), stopped[-1]
        newest, _ = good(shell, directory, remote)
        assert (newest.path, len(newest.copies)) == (report_of(again).path, 1)
        for each in (directory, remote):
            shutil.rmtree(each)
            shutil.copytree(before / each.name, each)
    assert jobs.record(jid).state is State.SUCCEEDED
    assert len(stopped) > 40 / every


def test_what_a_lost_host_left_goes_when_it_is_a_day_old(
    jobs: HostJobs, begin: Begin, back_up: Back_up, item: CommandItem, directory: Path, tmp_path: Path
) -> None:
    steps = Steps(tmp_path)
    jid = begin(item, env=steps.env("* mv thing-*.txt.sha256.part *"))
    await_true(steps.reached.exists)
    lose(jobs.record(jid))
    left = {path for path in directory.iterdir() if path.name.startswith("thing-")}
    assert {path.suffix for path in left} == {".part", ".json"}
    # Nobody knows what these are; the last one might be a copy of another host's backup, encrypted.
    others = {directory / name for name in ("thing-eu-20200101T000000Z.txt.json", "thing-20200101T000000Z.txt.age")}
    for path in others:
        path.write_text("another's")
    back_up(item)
    assert all(path.exists() for path in left | others)
    for path in left | others:
        os.utime(path, (0, 0))
    done = report_of(back_up(item))
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)
    assert Path(done.path).exists() and Path(f"{done.path}.json").exists()
