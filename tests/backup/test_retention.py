"""Old backups go only after a new one passed every check, and the last good ones never go."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, Retention, report_of
from remotejobs.operations.backup.item.script import shell_text

Back_up = Callable[..., Record]
STAMP = "%Y%m%dT%H%M%SZ"
FORM = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

moments = st.integers(1575158400, 1990828800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
nightly = st.builds(
    lambda last, count: [last - timedelta(days=night) for night in range(count)], moments, st.integers(1, 120)
)
histories = st.one_of(st.lists(moments, min_size=1, max_size=60, unique=True), nightly)
Counts = tuple[int, int, int, int]
counts = st.tuples(st.integers(1, 5), st.integers(0, 8), st.integers(0, 6), st.integers(0, 13))
ITEM = CommandItem(name="thing", hosts="here", command="echo new", extension="txt")


def prunable(history: Sequence[datetime], keep: Counts, tested: frozenset[datetime] = frozenset()) -> set[datetime]:
    """What the shell says may go."""
    lines = [f"{at.strftime(STAMP)} {int(at in tested)}" for at in sorted(history, reverse=True)]
    script = f'{shell_text()}\nbk_prunable "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *map(str, keep)],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return {datetime.strptime(line, STAMP).replace(tzinfo=UTC) for line in done.stdout.split()}


def newest_of_each(history: Sequence[datetime], period: Callable[[datetime], Hashable], count: int) -> set[datetime]:
    newest: dict[Hashable, datetime] = {}
    for at in sorted(history, reverse=True):
        newest.setdefault(period(at), at)
    return set(sorted(newest.values(), reverse=True)[:count])


@FORM
@given(histories, counts)
def test_what_stays_is_the_newest_ones_and_the_newest_of_the_last_days_weeks_and_months(
    history: list[datetime], keep: Counts
) -> None:
    last, daily, weekly, monthly = keep
    stays = (
        set(sorted(history, reverse=True)[:last])
        | newest_of_each(history, lambda at: at.date(), daily)
        | newest_of_each(history, lambda at: at.isocalendar()[:2], weekly)
        | newest_of_each(history, lambda at: (at.year, at.month), monthly)
    )
    assert prunable(history, keep) == set(history) - stays


@FORM
@given(histories, counts, st.data())
def test_the_newest_and_the_newest_that_was_restored_never_go(
    history: list[datetime], keep: Counts, data: st.DataObject
) -> None:
    tested = data.draw(st.sets(st.sampled_from(history)))
    going = prunable(history, keep, frozenset(tested))
    assert max(history) not in going
    assert not tested or max(tested) not in going


@FORM
@given(moments, counts, st.data())
def test_nothing_goes_while_there_are_no_more_than_the_daily_ones(
    last: datetime, keep: Counts, data: st.DataObject
) -> None:
    nights = data.draw(st.integers(1, max(1, keep[1])))
    assert prunable([last - timedelta(days=night) for night in range(nights)], keep) == set()


@FORM
@given(histories, counts)
def test_what_was_pruned_once_needs_no_pruning_again(history: list[datetime], keep: Counts) -> None:
    left = set(history) - prunable(history, keep)
    assert prunable(sorted(left), keep) == set()


@pytest.fixture
def old_ones(directory: Path) -> list[str]:
    """Good backups of the last ten days, without today's."""
    directory.mkdir(mode=0o700)
    now = datetime.now(UTC)
    names = [f"thing-{(now - timedelta(days=night)).strftime(STAMP)}.txt" for night in range(1, 11)]
    for name in names:
        (directory / name).write_text("old\n")
        (directory / f"{name}.sha256").write_text("sum\n")
    return names


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if not path.name.startswith(".")}


def keep(days: int, mode: str = "apply") -> Retention:
    return Retention.model_validate({"mode": mode, "daily": days, "weekly": 0, "monthly": 0})


@pytest.mark.parametrize(("last", "stays"), [(1, False), (2, True)])
def test_of_two_backups_on_one_day_the_first_goes_unless_the_last_two_are_kept(
    last: int, stays: bool, back_up: Back_up, directory: Path
) -> None:
    directory.mkdir(mode=0o700)
    first = f"thing-{datetime.now(UTC).strftime('%Y%m%d')}T000000Z.txt"
    (directory / first).write_text("old\n")
    (directory / f"{first}.sha256").write_text("sum\n")
    back_up(ITEM, retention=Retention(last=last))
    assert (first in names_in(directory)) is stays


def test_after_a_success_old_backups_and_their_checksums_go(
    back_up: Back_up, directory: Path, old_ones: list[str]
) -> None:
    report = report_of(back_up(ITEM, retention=keep(3)))
    new = Path(report.path).name
    stays = {new, *old_ones[:2]}
    assert names_in(directory) == stays | {f"{name}.sha256" for name in stays} | {f"{new}.json"}
    assert (report.kept, report.removed) == (3, 8)


def test_a_dry_run_names_what_would_go_and_removes_nothing(
    back_up: Back_up, directory: Path, old_ones: list[str]
) -> None:
    record = back_up(ITEM, retention=keep(3, "dry_run"))
    assert names_in(directory) >= set(old_ones)
    assert [line for line in record.stdout.decode().splitlines() if line.startswith("would")] == [
        f"would remove {name}" for name in old_ones[2:]
    ]
    assert (report_of(record).kept, report_of(record).removed) == (11, 8)


def test_retention_that_is_off_keeps_everything(back_up: Back_up, directory: Path, old_ones: list[str]) -> None:
    assert report_of(back_up(ITEM, retention=keep(1, "off"))).kept == 11


def test_a_failed_backup_removes_nothing(back_up: Back_up, directory: Path, old_ones: list[str]) -> None:
    before = names_in(directory)
    failing = ITEM.model_copy(update={"command": "echo half; exit 1"})
    assert back_up(failing, retention=keep(1)).state is State.FAILED
    assert names_in(directory) == before


def test_files_without_a_checksum_neither_count_nor_go(back_up: Back_up, directory: Path, old_ones: list[str]) -> None:
    (directory / f"{old_ones[0]}.sha256").unlink()
    back_up(ITEM, retention=keep(2))
    assert {old_ones[0], old_ones[1]} <= names_in(directory)
    assert old_ones[2] not in names_in(directory)


def test_items_with_alike_names_are_not_mixed_up(back_up: Back_up, directory: Path, old_ones: list[str]) -> None:
    longer = ITEM.model_copy(update={"name": "thing-eu"})
    back_up(longer, retention=keep(1))
    assert names_in(directory) >= set(old_ones)
    back_up(ITEM, retention=keep(1))
    assert any(name.startswith("thing-eu-") for name in names_in(directory))
