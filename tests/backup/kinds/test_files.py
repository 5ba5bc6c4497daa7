"""Files that change, go away or cannot be read while they are saved, and what a file is beside its bytes."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Retention, report_of

Back_up = Callable[..., Record]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two files, of which the first is as long as many records of tar."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "a.log").write_bytes(b"x" * 200_000)
    (site / "b.txt").write_text("hello")
    return site


def item_of(site: Path, **others: object) -> FilesItem:
    given = {"name": "site", "hosts": "here", "base": str(site.parent), "paths": (site.name,), **others}
    return FilesItem.model_validate(given)


def meanwhile(command: str) -> dict[str, str]:
    """Has tar run a command whenever it has written a record, which is in the midst of the first file."""
    return {"TAR_OPTIONS": f"--sort=name --checkpoint=1 --checkpoint-action=exec='{command}'"}


def names_of(report_path: str) -> list[str]:
    return subprocess.run(["tar", "-tf", report_path], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo more >>{site}/a.log", "site/a.log: file changed as we read it"),
        ("rm -f {site}/b.txt", "site/b.txt: File removed before we read it"),
        (": >{site}/a.log", "padding with zeros"),
    ],
    ids=["grew", "went away", "shrank"],
)
def test_a_file_that_changes_meanwhile_is_a_warning_that_names_it(
    command: str, said: str, back_up: Back_up, site: Path
) -> None:
    record = back_up(item_of(site), env=meanwhile(command.format(site=site)))
    assert record.state is State.SUCCEEDED, record.stderr.decode()
    report = report_of(record)
    assert said in report.warnings[0]
    assert said in Path(f"{report.path}.changed").read_text()
    assert "site/a.log" in names_of(report.path)


def test_it_is_nothing_where_the_plan_says_so(back_up: Back_up, site: Path) -> None:
    record = back_up(item_of(site, on_change="ignore"), env=meanwhile(f"echo more >>{site}/a.log"))
    assert report_of(record).warnings == ()


def test_it_is_a_failure_where_the_plan_says_so(back_up: Back_up, site: Path, directory: Path) -> None:
    record = back_up(item_of(site, on_change="fail"), env=meanwhile(f"echo more >>{site}/a.log"))
    assert record.state is State.FAILED
    assert "tar ended with 1: site/a.log: file changed as we read it" in record.stderr.decode()
    assert list(directory.glob("site-*")) == []


def test_what_could_be_read_is_kept_as_incomplete_where_the_plan_says_so(
    back_up: Back_up, site: Path, directory: Path
) -> None:
    few = Retention(daily=1)
    whole = Path(report_of(back_up(item_of(site), retention=few)).path)
    record = back_up(item_of(site, paths=("site", "gone"), keep_incomplete=True), retention=few)
    assert record.state is State.FAILED
    report = report_of(record)
    assert report.incomplete
    assert "site/b.txt" in names_of(report.path)
    assert "gone: Cannot stat" in Path(f"{report.path}.incomplete").read_text()
    assert (
        f"gone: Cannot stat: No such file or directory. What could be read is kept, marked incomplete: {report.path}"
        in (record.stderr.decode())
    )
    # It pushes out nothing that is whole.
    assert whole.exists()
    assert report.kept == 1


def test_where_nothing_could_be_read_nothing_is_kept(back_up: Back_up, site: Path, directory: Path) -> None:
    record = back_up(item_of(site, paths=("gone",), keep_incomplete=True))
    assert "nothing could be read" in record.stderr.decode()
    assert list(directory.glob("site-*")) == []


def test_attributes_rights_and_holes_come_back(back_up: Back_up, site: Path, tmp_path: Path) -> None:
    file = site / "b.txt"
    os.setxattr(file, "user.note", b"kept")
    acl = struct.pack(
        "<I" + "HHI" * 5, 2, 1, 6, 2**32 - 1, 2, 4, 12345, 4, 4, 2**32 - 1, 16, 4, 2**32 - 1, 32, 4, 2**32 - 1
    )
    os.setxattr(file, "system.posix_acl_access", acl)
    names = ["user.note", "system.posix_acl_access"]
    if os.geteuid() == 0:
        # cap_net_bind_service, effective
        os.setxattr(file, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
        names.append("security.capability")
    with (site / "holes").open("wb") as holes:
        holes.truncate(64 * 1024 * 1024)
    report = report_of(back_up(item_of(site, compress=False)))
    assert report.bytes < 1024 * 1024
    assert report.warnings == ()
    restored = tmp_path / "restored"
    restored.mkdir()
    words = ["tar", "-xpf", report.path, "-C", str(restored), "--acls", "--xattrs", "--xattrs-include=*"]
    subprocess.run(words, check=True)
    for name in names:
        assert os.getxattr(restored / "site" / "b.txt", name) == os.getxattr(file, name)
    assert (restored / "site" / "holes").stat().st_size == 64 * 1024 * 1024
    assert (restored / "site" / "holes").stat().st_blocks < 1024


def test_a_tar_that_cannot_save_attributes_is_reported(back_up: Back_up, site: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tar").write_text('#!/bin/sh\nexec busybox tar "$@"\n')
    (tmp_path / "bin" / "tar").chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    (said,) = report_of(back_up(item_of(site), env=env)).warnings
    assert "not GNU tar: ACLs, extended attributes and file capabilities are not saved" in said
    assert report_of(back_up(item_of(site, attributes=False), env=env)).warnings == ()


def test_a_pattern_from_the_root_on_leaves_out_that_place_and_no_other(back_up: Back_up, site: Path) -> None:
    (site / "deep").mkdir()
    (site / "deep" / "a.log").write_text("x")
    report = report_of(back_up(item_of(site, exclude=(f"{site}/*.log", "b.*"))))
    assert "site/a.log" not in names_of(report.path)
    assert "site/b.txt" not in names_of(report.path)
    # tar's * also means a /.
    again = report_of(back_up(item_of(site, exclude=(f"{site}/a.log",))))
    assert "site/deep/a.log" in names_of(again.path)


def test_a_pattern_that_could_leave_out_nothing_is_refused(site: Path) -> None:
    with pytest.raises(ValueError, match="'/var/log' is not below base"):
        item_of(site, exclude=("/var/log",))


@pytest.mark.parametrize("base", ["~", "~/", "."])
def test_the_home_directory_has_its_usual_name(base: str, back_up: Back_up, site: Path) -> None:
    report = report_of(back_up(item_of(site, base=base), env={"HOME": str(site.parent)}))
    assert "site/b.txt" in names_of(report.path)


def test_somebody_elses_home_directory_is_refused(site: Path) -> None:
    with pytest.raises(ValueError, match="only ~/ is understood"):
        item_of(site, base="~bob/site")
    with pytest.raises(ValueError, match="only ~/ is understood"):
        BackupPlan(files=(item_of(site),), directory="~bob")


def test_what_is_mounted_below_is_left_out_where_the_plan_says_so(back_up: Back_up) -> None:
    assert Path("/dev/pts/ptmx").exists()
    item = FilesItem(name="dev", hosts="here", base="/", paths=("dev",), exclude=("/dev/shm/*",), one_file_system=True)
    assert not [name for name in names_of(report_of(back_up(item)).path) if name.startswith("dev/pts/p")]
