"""A clock that jumps forward or back, between two backups or within one, costs none that is good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupReport, CommandItem, Restore, Retention, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.restore import choose
from tests.steps import Clock

Back_up = Callable[..., Record]
ITEM = CommandItem(name="thing", hosts="here", command="echo new", extension="txt")
THREE = Retention(last=1, daily=3, weekly=0, monthly=0)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def on(back_up: Back_up, clock: Clock) -> Callable[..., BackupReport]:
    """Makes a backup when the clock says so many days before or after the truth; its report."""

    def run(days: int, item: CommandItem = ITEM) -> BackupReport:
        clock.set(f"{days:+} days")
        record = back_up(item, env=clock.env, retention=THREE)
        assert record.state is State.SUCCEEDED, record.stderr
        return report_of(record)

    return run


def days_in(directory: Path) -> list[int]:
    """How many days before or after today each backup is dated, in order."""
    stamps = [path.name.removeprefix("thing-").removesuffix(".txt") for path in directory.glob("thing-*.txt")]
    return sorted(days_from_now(datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)) for stamp in stamps)


def days_from_now(moment: datetime) -> int:
    return round((moment - datetime.now(UTC)) / timedelta(days=1))


@pytest.mark.parametrize("wrong", [200, 1000, -40, -1000])
def test_a_night_with_a_wrong_clock_takes_no_nights_from_the_right_ones(
    wrong: int, on: Callable[..., BackupReport], directory: Path, shell: Shell
) -> None:
    for day in (-6, -5, -4):
        on(day)
    assert on(wrong).path
    assert {-5, -4, wrong} <= set(days_in(directory))
    for day in (-3, -2, -1):
        on(day)
    assert {-3, -2, -1} <= set(days_in(directory))
    assert wrong < 0 or wrong in days_in(directory)
    wanted = Restore(item="thing", to="/srv/thing")
    assert days_from_now(choose("here", backups_on(shell, str(directory)), wanted).made) == -1


@pytest.mark.parametrize("jump", ["+2 years", "-40 days", "-1 hour", "+1 day"])
def test_a_clock_that_jumps_while_a_backup_is_made_costs_none_and_is_no_failure(
    jump: str, on: Callable[..., BackupReport], clock: Clock, directory: Path
) -> None:
    for day in (-3, -2, -1):
        on(day)
    report = on(0, ITEM.model_copy(update={"command": f"echo '{jump}' >{clock.offset}; echo new"}))
    assert report.warnings == ()
    assert {-2, -1, 0} <= set(days_in(directory))
    assert Path(report.path).read_text() == "new\n"
