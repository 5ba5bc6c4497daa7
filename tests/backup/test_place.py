"""One run of an item at a time, in the right place, beside nobody else's backups, whatever the clock said once."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, CommandItem, Retention, report_of

Back_up = Callable[..., Record]
Begin = Callable[..., str]
ITEM = CommandItem(name="thing", hosts="here", command="echo new", extension="txt")
OFF = Retention(mode="off")
LAST_ONE = Retention(daily=1, weekly=0, monthly=0)


def old_one(directory: Path, stamp: str) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"thing-{stamp}.txt"
    path.write_text("old\n")
    Path(f"{path}.sha256").write_text("sum\n")
    return path


def night(ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=ago)).strftime("%Y%m%dT%H%M%SZ")


def test_a_second_run_of_an_item_waits_for_the_first(jobs: HostJobs, begin: Begin, tmp_path: Path) -> None:
    waits = ITEM.model_copy(update={"command": f"until [ -e {tmp_path}/go ]; do sleep 0.1; done; echo new"})
    first, second = begin(waits, retention=OFF), begin(waits, retention=OFF, name="another")
    queued = jobs.record(second)
    assert queued.state is State.QUEUED
    assert queued.msg.startswith(f"waits for lock backup:thing, held by {first}")
    (tmp_path / "go").touch()
    assert jobs.record(first, wait=60).state is State.SUCCEEDED
    assert jobs.record(second, wait=60).state is State.FAILED  # of another plan


def test_runs_of_an_item_at_the_same_time_each_make_a_backup(jobs: HostJobs, begin: Begin) -> None:
    jids = [begin(ITEM, retention=OFF) for _ in range(3)]
    paths = {report_of(jobs.record(jid, wait=60)).path for jid in jids}
    assert len(paths) == 3
    assert all(Path(path).read_text() == "new\n" for path in paths)


def test_where_nothing_is_mounted_nothing_is_written(back_up: Back_up, tmp_path: Path) -> None:
    (tmp_path / "mnt").mkdir()
    record = back_up(ITEM, directory=str(tmp_path / "mnt" / "backups"), must_be_mount=str(tmp_path / "mnt"))
    assert record.state is State.FAILED
    assert f"failed at step preflight: nothing is mounted at {tmp_path}/mnt" in record.stderr.decode()
    assert list((tmp_path / "mnt").iterdir()) == []


def test_where_something_is_mounted_a_backup_is_made(back_up: Back_up) -> None:
    place = Path(f"/dev/shm/remotejobs-{os.getpid()}")
    try:
        record = back_up(ITEM, directory=str(place), must_be_mount="/dev/shm")
        assert record.state is State.SUCCEEDED, record.stderr.decode()
    finally:
        for path in place.iterdir():
            path.unlink()
        place.rmdir()


def test_a_mount_that_the_directory_is_not_on_is_refused() -> None:
    with pytest.raises(
        ValueError, match="must_be_mount: '/mnt/b' is neither the directory '/mnt/backups' nor above it"
    ):
        BackupPlan(commands=(ITEM,), directory="/mnt/backups", must_be_mount="/mnt/b")


def test_a_directory_that_must_exist_is_not_made(back_up: Back_up, directory: Path) -> None:
    record = back_up(ITEM, must_exist=True)
    assert f"the directory {directory} is not there" in record.stderr.decode()
    assert not directory.exists()
    directory.mkdir()
    assert back_up(ITEM, must_exist=True).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"name": "nightly"}, {"name": "hourly"}),
        ({"name": "nightly"}, {}),
        ({"retention": Retention(monthly=12)}, {"retention": Retention(monthly=0)}),
    ],
)
def test_a_plan_does_not_touch_the_backups_of_another(
    first: dict[str, object], second: dict[str, object], back_up: Back_up, directory: Path
) -> None:
    assert back_up(ITEM, **first).state is State.SUCCEEDED
    before = set(directory.iterdir())
    record = back_up(ITEM, **second)
    assert record.state is State.FAILED
    assert f"the backups of thing in {directory} are those of another plan" in record.stderr.decode()
    assert set(directory.iterdir()) == before


def test_a_plan_with_a_name_may_change_and_stay_the_same(back_up: Back_up) -> None:
    assert back_up(ITEM, name="nightly").state is State.SUCCEEDED
    assert back_up(ITEM, name="nightly", retention=Retention(last=9)).state is State.SUCCEEDED


def test_a_dry_run_of_the_retention_is_no_other_plan(back_up: Back_up) -> None:
    assert back_up(ITEM, retention=Retention(mode="dry_run")).state is State.SUCCEEDED
    assert back_up(ITEM).state is State.SUCCEEDED


def test_a_backup_that_is_dated_after_now_pushes_out_no_good_one(back_up: Back_up, directory: Path) -> None:
    good, odd = old_one(directory, night(1)), old_one(directory, "20380101T000000Z")
    record = back_up(ITEM, retention=Retention(daily=2, weekly=0, monthly=0))
    assert good.exists()
    assert odd.exists()
    assert report_of(record).kept == 2
    assert f"{odd.name} is dated after now" in record.stdout.decode()


def test_nothing_goes_when_the_clock_has_jumped_by_more_than_a_year(back_up: Back_up, directory: Path) -> None:
    good = [old_one(directory, night(ago)) for ago in (500, 501, 502)]
    record = back_up(ITEM, retention=LAST_ONE)
    assert all(path.exists() for path in good)
    assert "more than a year ago; is it right? Nothing was removed" in report_of(record).warnings[0]
    # From the next one on it is believed.
    assert report_of(back_up(ITEM, retention=LAST_ONE)).removed == 4


def test_what_has_shrunk_is_not_refused_for_what_it_was(back_up: Back_up, directory: Path) -> None:
    os.truncate(old_one(directory, night(1)), 2**42)
    record = back_up(ITEM, retention=OFF)
    assert record.state is State.SUCCEEDED, record.stderr.decode()


def test_what_has_not_shrunk_does_not_fill_the_disk(back_up: Back_up, directory: Path) -> None:
    os.truncate(old_one(directory, night(1)), 2**42)
    room = os.statvfs(directory)
    leave = room.f_bavail * room.f_frsize // 2**20 - 256
    endless = ITEM.model_copy(update={"command": "head -c 4G /dev/zero"})
    record = back_up(endless, min_free_mib=leave)
    assert record.state is State.FAILED
    assert "KiB could be written, and the last backup took 4294967296 KiB" in record.stderr.decode()
    assert len(list(directory.glob("thing-*"))) == 2
