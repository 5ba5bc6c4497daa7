"""A directory is put in its place without taking anything else away, whatever happens there meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.model import Record, State
from remotejobs.operations.backup import CommandItem, FilesItem
from remotejobs.operations.backup.restore import Restore, restore_report_of, target_on

Back_up = Callable[..., Record]
Run = Callable[..., Record]


@pytest.fixture
def saved(back_up: Back_up, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("saved")
    back_up(FilesItem(name="f", hosts="here", base=str(tmp_path), paths=("f",)))


def with_own(tmp_path: Path, program: str, text: str) -> str:
    """A PATH with a program of that name, which does `text` around the real one: "$real" "$@"."""
    own = tmp_path / "own"
    own.mkdir()
    path = os.environ["PATH"]
    (own / program).write_text(f"#!/bin/sh\nreal=$(PATH='{path}' command -v {program})\n{text}\n")
    (own / program).chmod(0o755)
    return f"{own}:{path}"


@pytest.mark.parametrize("replace_it", [False, True])
def test_a_directory_that_appears_while_files_are_restored_is_not_restored_into(
    saved: None, restore: Run, tmp_path: Path, replace_it: bool
) -> None:
    to = tmp_path / "back"
    path = with_own(
        tmp_path, "tar", f'"$real" "$@" || exit; case "$*" in *-xpvf*) mkdir "{to}"; echo new >"{to}/own" ;; esac'
    )
    done = restore("f", to=str(to), replace_it=replace_it, path=path)
    if replace_it:
        assert (to / "f").read_text() == "saved"
        assert (Path(restore_report_of(done).before) / "own").read_text() == "new\n"
    else:
        assert f"{to} is there by now, and its replacement was not approved" in done.stderr.decode()
        assert [each.name for each in to.iterdir()] == ["own"]
    assert not list(tmp_path.glob("back.rj_restoring_*"))


def test_an_empty_directory_that_is_filled_while_files_are_restored_is_not_put_aside(
    saved: None, restore: Run, tmp_path: Path
) -> None:
    to = tmp_path / "back"
    to.mkdir()
    done = restore("f", to=str(to), path=with_own(tmp_path, "tar", f'"$real" "$@" || exit; echo new >"{to}/own"'))
    assert "its replacement was not approved" in done.stderr.decode()
    assert (to / "own").read_text() == "new\n"


def test_a_directory_that_comes_at_the_last_moment_does_not_swallow_what_was_restored(
    saved: None, restore: Run, tmp_path: Path
) -> None:
    to = tmp_path / "back"
    made = f'case $1 in *rj_restoring*) [ -e "{to}" ] || mkdir "{to}" ;; esac; exec "$real" "$@"'
    done = restore("f", to=str(to), path=with_own(tmp_path, "mv", made))
    assert done.state is State.FAILED
    assert f"{to} was made by another program meanwhile" in done.stderr.decode()
    assert not list(to.iterdir())


def test_a_kill_between_the_two_renames_leaves_what_was_there(saved: None, restore: Run, tmp_path: Path) -> None:
    to = tmp_path / "back"
    to.mkdir()
    (to / "own").write_text("old")
    killing = f'"$real" "$@"; [ "$1" != "{to}" ] || kill $PPID'
    done = restore("f", to=str(to), replace_it=True, path=with_own(tmp_path, "mv", killing))
    assert done.state is not State.SUCCEEDED
    assert (to / "own").read_text() == "old"
    assert not list(tmp_path.glob("back.*"))


def test_what_was_put_aside_before_does_not_swallow_what_is_put_aside(
    saved: None, restore: Run, tmp_path: Path
) -> None:
    to = tmp_path / "back"
    to.mkdir()
    (to / "own").write_text("old")
    # Of the same second, as it seems: when it is first asked what time it is, there is a directory of that name.
    mark = tmp_path / "asked"
    taken = f'at=$("$real" "$@"); [ -e "{mark}" ] || mkdir "{to}.before-$at" && : >"{mark}"; echo "$at"'
    taken = f'case $2 in *T*) ;; *) exec "$real" "$@" ;; esac; {taken}'
    report = restore_report_of(restore("f", to=str(to), replace_it=True, path=with_own(tmp_path, "date", taken)))
    assert (Path(report.before) / "own").read_text() == "old"


def test_a_link_to_an_empty_directory_is_not_replaced_unasked(
    saved: None, restore: Run, tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "real").mkdir()
    to = tmp_path / "back"
    to.symlink_to("real")
    assert target_on(shell, Restore(item="f", to=str(to))).exists
    assert target_on(shell, Restore(item="f", to=f"{to}/")).exists
    assert "its replacement was not approved" in restore("f", to=str(to)).stderr.decode()
    assert to.is_symlink()


def test_a_directory_that_cannot_be_listed_is_not_empty(
    saved: None, restore: Run, tmp_path: Path, shell: Shell
) -> None:
    to = tmp_path / "back"
    to.mkdir()
    failed = restore("f", to=f"{to}//", path=with_own(tmp_path, "ls", "exit 2"))
    assert f"{to} exists, and its replacement was not approved" in failed.stderr.decode()


def test_what_is_restored_can_be_read_by_those_who_could_read_what_was_there(
    saved: None, restore: Run, tmp_path: Path
) -> None:
    to = tmp_path / "back"
    to.mkdir()
    (to / "own").write_text("old")
    to.chmod(0o2755)
    assert restore("f", to=str(to), replace_it=True).state is State.SUCCEEDED
    assert (to / "f").exists()
    assert to.stat().st_mode & 0o7777 == 0o2755


def test_the_home_directory_is_not_put_aside(saved: None, restore: Run, tmp_path: Path) -> None:
    failed = restore("f", to=str(Path.home()), replace_it=True, path=with_own(tmp_path, "mv", "exit 1"))
    assert "the home directory of this job's user, and its jobs, would be put aside" in failed.stderr.decode()


@pytest.mark.parametrize("link", [False, True])
def test_the_directory_of_the_backups_is_not_put_aside(
    saved: None, restore: Run, tmp_path: Path, directory: Path, link: bool
) -> None:
    to = tmp_path / "link" if link else directory
    if link:
        to.symlink_to(directory)
    failed = restore("f", to=str(to), replace_it=True)
    assert f"the backups in {directory} would be put aside" in failed.stderr.decode()
    assert list(directory.glob("f-*.tar.gz"))


def test_what_a_living_restore_made_stays_and_what_a_dead_one_left_goes(
    saved: None, restore: Run, tmp_path: Path
) -> None:
    living, dead = (tmp_path / f"back.rj_restoring_{name}" for name in ("living", "dead01"))
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    world = Path("/proc/self/ns/pid").readlink()
    for each, pid in ((living, os.getpid()), (dead, 2**22 + 1)):
        each.mkdir()
        born = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(") ")[2].split()[19]
        (each / "run").write_text(f"{boot} {world} {pid} {born}\n")
    assert restore("f", to=str(tmp_path / "back")).state is State.SUCCEEDED
    assert (living.exists(), dead.exists()) == (True, False)


def test_a_copy_that_is_not_what_was_saved_is_not_put_in_place(back_up: Back_up, restore: Run, tmp_path: Path) -> None:
    back_up(CommandItem(name="thing", hosts="here", command="echo x"))
    to = tmp_path / "back"
    failed = restore("thing", to=str(to), path=with_own(tmp_path, "cp", '"$real" "$@"; echo odd >"$2"'))
    assert "the copy has the sha256" in failed.stderr.decode()
    assert not to.exists()
