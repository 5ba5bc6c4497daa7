"""Files that arrive whole, or not at all."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab.proxy import Proxy
from remotejobs.errors import ConnectionLost, FileRefused, UsageError
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import BecomeChoice, Fleet
from remotejobs.operations.transfer import Ends, Moved, Throttle, TransferFailed, pull, push, sum_of
from remotejobs.operations.transfer.steps import part_name
from tests.transfers.conftest import MIB, random_file


class Cutter:
    """Cuts the connection when so many bytes are over, once for each mark."""

    def __init__(self, proxy: Proxy, *marks: int) -> None:
        self._proxy = proxy
        self._marks = list(marks)
        self.began_at: list[int] = []

    def __call__(self, moved: Moved) -> None:
        if not self.began_at or moved.cuts == len(self.began_at):
            self.began_at.append(moved.done)
        if self._marks and moved.done > self._marks[0]:
            self._marks.pop(0)
            self._proxy.cut()


def test_a_file_is_pushed_and_pulled_and_is_the_same_on_both_ends(ends: Ends, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 3)
    source.chmod(0o640)
    there = tmp_path / "there"
    pushed = push(source, str(there), ends)
    assert there.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(there.stat().st_mode) == 0o640
    assert (pushed.bytes, pushed.sha256, pushed.changed) == (3 * MIB, sum_of(source), True)
    pulled = pull(str(there), tmp_path / "back", ends)
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    assert pulled.sha256 == pushed.sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "source", "there"], "nothing else is left"


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1])
def test_every_size_arrives(ends: Ends, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * size)
    push(source, str(tmp_path / "there"), ends)
    pull(str(tmp_path / "there"), tmp_path / "back", ends)
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_what_is_there_already_is_not_sent_again(ends: Ends, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 1)
    there = tmp_path / "there"
    push(source, str(there), ends)
    before = there.stat().st_ino
    assert not push(source, str(there), ends).changed
    assert there.stat().st_ino == before
    pull(str(there), tmp_path / "back", ends)
    assert not pull(str(there), tmp_path / "back", ends).changed


@pytest.mark.faults
def test_a_push_goes_on_after_each_cut_from_where_it_was(shaky_ends: Ends, proxy: Proxy, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 24)
    cutter = Cutter(proxy, 6 * MIB, 12 * MIB, 18 * MIB)
    pushed = push(source, str(tmp_path / "there"), shaky_ends, throttle=Throttle(24 * MIB), report=cutter)
    assert (tmp_path / "there").read_bytes() == source.read_bytes()
    assert pushed.cuts == 3
    assert cutter.began_at == sorted(cutter.began_at) and cutter.began_at[-1] > 12 * MIB


@pytest.mark.faults
def test_a_pull_goes_on_after_each_cut_from_where_it_was(shaky_ends: Ends, proxy: Proxy, tmp_path: Path) -> None:
    there = random_file(tmp_path / "there", 24)
    cutter = Cutter(proxy, 6 * MIB, 12 * MIB, 18 * MIB)
    pulled = pull(str(there), tmp_path / "back", shaky_ends, throttle=Throttle(24 * MIB), report=cutter)
    assert (tmp_path / "back").read_bytes() == there.read_bytes()
    assert pulled.cuts == 3
    assert cutter.began_at == sorted(cutter.began_at) and cutter.began_at[-1] > 12 * MIB


@pytest.mark.faults
def test_a_connection_that_is_lost_before_the_size_is_known_is_counted_too(
    shaky_ends: Ends, proxy: Proxy, tmp_path: Path
) -> None:
    there = random_file(tmp_path / "there", 1)
    for dest, changed in ((tmp_path / "back", True), (tmp_path / "back", False)):
        shaky_ends.files.close()
        proxy.refuse(1)
        pulled = pull(str(there), dest, shaky_ends)
        assert (pulled.cuts, pulled.changed) == (1, changed)


@pytest.mark.faults
def test_a_cut_after_the_last_byte_was_sent_is_noticed(shaky_ends: Ends, proxy: Proxy, tmp_path: Path) -> None:
    """The answers to the last writes never come, and closing a file over a lost connection raises nothing."""
    source = random_file(tmp_path / "source", 4)
    cutter = Cutter(proxy, 4 * MIB - 1)
    pushed = push(source, str(tmp_path / "there"), shaky_ends, report=cutter)
    assert pushed.cuts == 1
    assert (tmp_path / "there").read_bytes() == source.read_bytes()


@pytest.mark.faults
def test_what_arrived_before_a_push_was_given_up_is_used_by_the_next(
    shaky_ends: Ends, ends: Ends, proxy: Proxy, tmp_path: Path
) -> None:
    source = random_file(tmp_path / "source", 8)

    def cut_for_good(moved: Moved) -> None:
        if moved.done > 4 * MIB:
            proxy.refuse(1000)
            proxy.cut()

    impatient = replace(shaky_ends, contact_timeout=0.5)
    with pytest.raises(ConnectionLost):
        push(source, str(tmp_path / "there"), impatient, throttle=Throttle(8 * MIB), report=cut_for_good)
    assert not (tmp_path / "there").exists(), "a name is only for what is whole"
    pushed = push(source, str(tmp_path / "there"), ends)
    assert pushed.resumed > MIB
    assert (tmp_path / "there").read_bytes() == source.read_bytes()


def test_a_part_that_was_damaged_is_never_given_a_name(ends: Ends, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 1)
    there = tmp_path / "there"
    part = there.with_name(part_name(str(there), sum_of(source)))
    part.write_bytes(b"not the beginning")
    with pytest.raises(FileRefused, match="it was removed"):
        push(source, str(there), ends)
    assert not there.exists() and not part.exists()
    push(source, str(there), ends)
    assert there.read_bytes() == source.read_bytes()


def test_a_file_that_changes_while_it_is_pulled_is_not_taken_for_whole(ends: Ends, tmp_path: Path) -> None:
    there = random_file(tmp_path / "there", 4)

    def change(moved: Moved) -> None:
        with there.open("r+b") as file:
            file.seek(-1, 2)
            file.write(bytes([file.tell() % 7, 1])[:1])

    with pytest.raises(TransferFailed, match="changed meanwhile"):
        pull(str(there), tmp_path / "back", ends, report=change)
    assert not (tmp_path / "back").exists()


def test_a_slash_at_the_end_means_into_that_directory(ends: Ends, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 1)
    (tmp_path / "directory").mkdir()
    push(source, f"{tmp_path}/directory/", ends)
    assert (tmp_path / "directory" / "source").exists()
    assert pull(str(source), tmp_path / "directory", ends).changed is False


@pytest.mark.parametrize("dest", ["/nowhere/at/all/x", "/proc/x", "/etc"])
def test_what_the_host_refuses_is_reported_at_once_with_the_path(ends: Ends, tmp_path: Path, dest: str) -> None:
    source = random_file(tmp_path / "source", 1)
    with pytest.raises(FileRefused, match="files1: "):
        push(source, dest, ends)


def test_a_source_that_is_no_file_is_bad_use(ends: Ends, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="/missing on this machine: No such file"):
        push(tmp_path / "missing", "/tmp/x", ends)
    with pytest.raises(UsageError, match="no regular file"):
        push(tmp_path, "/tmp/x", ends)
    with pytest.raises(FileRefused, match="does not exist"):
        pull(str(tmp_path / "missing"), tmp_path / "back", ends)


def test_a_place_here_that_cannot_be_is_bad_use_and_not_laid_to_the_host(ends: Ends) -> None:
    with pytest.raises(UsageError, match="^/proc/nowhere/x on this machine: No such file"):
        pull("/etc/hostname", Path("/proc/nowhere/x"), ends)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What this process writes may not grow over `size`, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_here_that_takes_no_more_is_bad_use_and_the_part_is_kept(ends: Ends, tmp_path: Path) -> None:
    there, back = random_file(tmp_path / "there", 3), tmp_path / "back"
    with files_of_at_most(MIB), pytest.raises(UsageError, match=r"\.back\..*part on this machine: File too large"):
        pull(str(there), back, ends)
    assert pull(str(there), back, ends).resumed == MIB


def test_a_source_that_cannot_be_read_to_its_end_is_bad_use(ends: Ends, tmp_path: Path) -> None:
    gone = random_file(tmp_path / "gone", 1)
    with pytest.raises(UsageError, match="/gone on this machine: No such file"):
        push(gone, str(tmp_path / "there"), ends, report=lambda _moved: gone.unlink())
    with pytest.raises(UsageError, match="^/proc/self/mem on this machine: Input/output error"):
        push(Path("/proc/self/mem"), str(tmp_path / "there"), ends)
    with pytest.raises(UsageError, match="^/proc/self/mem on this machine: Input/output error"):
        push(Path("/proc/self/mem"), str(tmp_path / "there"), ends, sha256="0" * 64)


def test_as_another_user_the_part_waits_at_home_and_only_the_end_is_made_there(fleet: Fleet, tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 1)
    ends = Ends.of(fleet, "files1", BecomeChoice(become=True, user="root"))
    push(source, str(tmp_path / "there"), ends)
    ends.files.close()
    assert (tmp_path / "there").read_bytes() == source.read_bytes()
    assert not list(Path.home().glob(".there.*"))


def test_this_machine_is_a_host_like_any_other(tmp_path: Path) -> None:
    source = random_file(tmp_path / "source", 1)
    inventory = tmp_path / "local.yml"
    inventory.write_text("all: {hosts: {here: {ansible_connection: local}}}")
    with Fleet(load_inventory(inventory).select("all")) as fleet:
        ends = Ends.of(fleet, "here")
        push(source, str(tmp_path / "there"), ends)
        pull(str(tmp_path / "there"), tmp_path / "back", ends)
        with pytest.raises(FileRefused, match="here: /nowhere/at/all/.x"):
            push(source, "/nowhere/at/all/x", ends)
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
