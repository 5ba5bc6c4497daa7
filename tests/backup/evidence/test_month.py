"""The page of a month says what was seen, and what is missing; nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.model import Record
from remotejobs.operations.backup import BackupPlan, CommandItem, Retention, report_of
from remotejobs.operations.backup.catalogue import Copied
from remotejobs.operations.backup.evidence.month import days_of, items_of, page
from remotejobs.operations.backup.evidence.records import Evidence, RecordsUnreadable, evidence_on

Back_up = Callable[..., Record]
DAYS = days_of("2026-02", date(2026, 2, 11))
ORDERS = {"name": "orders", "hosts": "db1", "database": "orders"}
PLAN = BackupPlan.model_validate({"databases": [ORDERS], "servers": [{"name": "main", "hosts": "db1"}]})


def backup(item: str, day: int, **others: Any) -> Evidence:
    known = {
        "item": item,
        "kind": "postgres",
        "file": f"{item}-{day}",
        "began": f"2026-02-{day:02}T02:00:00Z",
        "bytes": 2048,
    }
    return Evidence({**known, "complete": True, "restore_test": "passed", "warnings": [], **others})


def of(*backups: Evidence, host: str = "db1") -> str:
    months = items_of(PLAN, {"orders": ["db1"], "main": ["db1"]}, {host: backups}, DAYS)
    return page("2026-02", "now", months, {"db2": "unreachable"}, DAYS)


def test_the_days_of_a_month_end_yesterday_as_nothing_of_today_is_missing_yet() -> None:
    assert len(DAYS) == 10 and len(days_of("2024-02", date(2026, 1, 1))) == 29


def test_days_without_a_good_backup_are_named() -> None:
    said = of(*(backup("orders", day) for day in (1, 2, 5)), backup("orders", 3, complete=False))
    assert "| db1 | orders | postgres | 3 | 3-4, 6-10 | 3 |" in said
    assert "- orders on db1: no good backup on 3-4, 6-10" in said
    assert "orders-3: incomplete: some of it could not be read" in said
    assert "- main on db1: no good backup on any day" in said


def test_the_databases_of_a_server_stand_for_its_item() -> None:
    said = of(*(backup("main.shop", day) for day in range(1, 11)))
    assert "| db1 | main.shop | postgres | 10 | — | 10 |" in said and "main on db1" not in said


def test_what_is_not_in_the_plan_is_shown_as_such_and_misses_nothing() -> None:
    assert "| db1 | old | postgres | 1 | not in the plan | 1 |" in of(backup("old", 4))


def test_a_host_that_could_not_be_asked_is_named_and_nothing_of_it_is_called_missing() -> None:
    months = items_of(PLAN, {"orders": ["db1", "db2"]}, {"db1": []}, DAYS)
    assert {each.host for each in months} == {"db1"}
    assert "- db2: unreachable" in of()


def test_nothing_is_said_to_be_complete_where_nothing_was_seen() -> None:
    nobody = page("2026-02", "now", items_of(PLAN, {"orders": ["db1"]}, {}, DAYS), {"db1": "unreachable"}, DAYS)
    assert "Nothing on the hosts that answered: every item of the plan has a good backup of every day there." in nobody
    future = page("2026-03", "now", items_of(PLAN, {"orders": ["db1"]}, {"db1": []}, []), {}, [])
    assert "Not known yet: no day of the month is over." in future and "Nothing: every" not in future


def test_a_record_whose_backup_never_got_its_name_is_none(back_up: Back_up, directory: Path, shell: Shell) -> None:
    path = Path(report_of(back_up(CommandItem(name="x", hosts="here", command="echo x"))).path)
    month = f"{datetime.now(UTC):%Y-%m}"
    assert len(evidence_on(shell, str(directory), month)) == 1
    path.rename(f"{path}.part")
    assert evidence_on(shell, str(directory), month) == []


def test_nothing_is_known_of_a_host_whose_disk_for_backups_is_not_mounted(
    back_up: Back_up, directory: Path, shell: Shell
) -> None:
    back_up(CommandItem(name="x", hosts="here", command="echo x"))
    with pytest.raises(RecordsUnreadable, match="nothing is mounted at"):
        evidence_on(shell, str(directory), "2026-02", must_be_mount=str(directory))
    with pytest.raises(RecordsUnreadable, match="is not there, and must_be_mount names it"):
        evidence_on(shell, f"{directory}/no", "2026-02", must_be_mount=f"{directory}/no")
    assert evidence_on(shell, str(directory), f"{datetime.now(UTC):%Y-%m}", must_be_mount="/")


def test_copies_tests_and_warnings_are_counted() -> None:
    one, two = backup("orders", 1, restore_test="not asked", warnings=["slow"]), backup("orders", 2, warnings=["slow"])
    two.copies.append(
        Copied(
            place="vault", host="v", path="/x", bytes=1, sha256="", encrypted="age", at="", seen="2026-02-02T03:00:00Z"
        )
    )
    said = of(one, two)
    assert "| 1 | 1 not asked | vault: 1, one last seen whole 2026-02-02T03:00:00Z |" in said
    assert "- 2 times: orders on db1: slow" in said


def test_what_a_verification_found_damaged_is_not_good() -> None:
    bad = backup("orders", 1)
    bad.damaged = "its sha256 is another"
    assert "found damaged: its sha256 is another" in of(bad) and "| orders |  | 0 |".replace("  ", " — ") in of(bad)


def test_the_record_of_a_backup_that_retention_removed_is_still_counted(
    back_up: Back_up, directory: Path, shell: Shell
) -> None:
    item = CommandItem(name="x", hosts="here", command="echo x")
    newest_alone = Retention(daily=1, weekly=0, monthly=0)
    first = Path(report_of(back_up(item, retention=newest_alone)).path)
    report_of(back_up(item, retention=newest_alone))
    assert not first.exists()
    month = f"{datetime.now(UTC):%Y-%m}"
    assert len(evidence_on(shell, str(directory), month)) == 2
    assert evidence_on(shell, str(directory), "2020-01") == []
    assert evidence_on(shell, f"{directory}/nowhere", month) == []
    (directory / ".records" / f"{first.name}.json").write_text(json.dumps({"file": "another"}))
    with pytest.raises(RecordsUnreadable, match="is not to be understood"):
        evidence_on(shell, str(directory), month)
