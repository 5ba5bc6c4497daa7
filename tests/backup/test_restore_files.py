"""Files are restored to a directory of their own, which then gets its name; and which backup is chosen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, FilesItem, report_of
from remotejobs.operations.backup.catalogue import backups_on
from remotejobs.operations.backup.restore import NoSuchBackup, Restore, choose, restore_report_of, target_on

Back_up = Callable[..., Record]
Run = Callable[..., Record]
SHELLS = ["dash", "bash --posix", "busybox sh", "mksh", "yash"]


def said(record: Record) -> str:
    return record.stderr.decode()


@pytest.mark.parametrize("interpreter", SHELLS)
def test_files_come_back_in_a_new_directory_and_an_old_one_is_kept(
    interpreter: str, back_up: Back_up, restore: Run, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir(mode=0o750)
    (tmp_path / "site" / "a page.html").write_text("hello")
    back_up(FilesItem(name="site", hosts="here", base=str(tmp_path), paths=("site",)))
    to = tmp_path / "back here"
    first = restore("site", to=str(to), interpreter=interpreter)
    assert first.state is State.SUCCEEDED, said(first)
    assert restore_report_of(first).counts == "2 entries"
    assert (to / "site" / "a page.html").read_text() == "hello"
    assert (to / "site").stat().st_mode & 0o777 == 0o750
    (to / "site" / "a page.html").write_text("changed since")
    refused = restore("site", to=str(to), interpreter=interpreter)
    assert f"{to} exists, and its replacement was not approved" in said(refused)
    report = restore_report_of(restore("site", to=str(to), replace_it=True, interpreter=interpreter))
    assert (to / "site" / "a page.html").read_text() == "hello"
    assert (Path(report.before) / "site" / "a page.html").read_text() == "changed since"
    assert not list(tmp_path.glob("*.rj_restoring_*"))


def test_an_empty_directory_is_no_reason_to_ask(back_up: Back_up, restore: Run, tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "empty").mkdir()
    back_up(FilesItem(name="f", hosts="here", base=str(tmp_path), paths=("f",)))
    assert not target_on(shell, Restore(item="f", to=str(tmp_path / "empty"))).exists
    done = restore("f", to=str(tmp_path / "empty"))
    assert done.state is State.SUCCEEDED, said(done)
    assert (tmp_path / "empty" / "f").read_text() == "x"


def test_an_archive_with_fewer_entries_than_were_saved_is_not_put_in_place(
    back_up: Back_up, restore: Run, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("x")
    path = report_of(back_up(FilesItem(name="f", hosts="here", base=str(tmp_path), paths=("f",)))).path
    record = Path(f"{path}.json")
    record.write_text(record.read_text().replace('"entries": 1', '"entries": 2'))
    failed = restore("f", to=str(tmp_path / "back"))
    assert "1 entries were restored, and 2 were saved" in said(failed)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("back") and path.name != "backups"]


def test_what_a_command_wrote_comes_back_as_a_file(back_up: Back_up, restore: Run, tmp_path: Path) -> None:
    path = Path(report_of(back_up(CommandItem(name="thing", hosts="here", command="echo x"))).path)
    assert restore("thing", to=str(tmp_path / "back")).state is State.SUCCEEDED
    assert (tmp_path / "back" / path.name).read_text() == "x\n"


def test_the_newest_good_one_until_a_moment_is_chosen(directory: Path, shell: Shell) -> None:
    directory.mkdir()
    for stamp, mark in (("20260101T020000Z", "restored"), ("20260102T020000Z", ""), ("20260103T020000Z", "damaged")):
        path = directory / f"orders-{stamp}.dump"
        for suffix in ("", ".sha256", *([f".{mark}"] if mark else [])):
            Path(f"{path}{suffix}").write_text("x\n")
    entries = backups_on(shell, str(directory))

    def chosen(**settings: Any) -> str:
        return choose("here", entries, Restore(item="orders", database="x", **settings)).file[7:-5]

    assert chosen() == "20260102T020000Z"
    assert chosen(at="2026-01-01") == chosen(at="2026-01-02 01:59") == chosen(tested=True) == "20260101T020000Z"
    assert chosen(at="2026-01-02 02:00") == chosen(file="orders-20260102T020000Z.dump") == "20260102T020000Z"
    for settings, why in (
        ({"at": "2025-12-31"}, "none of 3 backups of orders is dated until 2025-12-31"),
        ({"file": "orders-20260103T020000Z.dump"}, "no backup of orders is good: damaged"),
        ({"database": "", "to": "/x"}, "is of the kind postgres; restore it to a database"),
        ({"item": "order"}, "there is no backup of order in"),
    ):
        wanted = Restore.model_validate({"item": "orders", "database": "x"} | settings)
        with pytest.raises(NoSuchBackup, match=why):
            choose("here", entries, wanted)
    with pytest.raises(NoSuchBackup):
        choose("here", entries, Restore(item="orders", database="x"), until=datetime(2025, 1, 1, tzinfo=UTC))
