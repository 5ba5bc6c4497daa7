"""The lock on a host, under every shell, without SSH."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from remotejobs.agent.shell import Shell
from remotejobs.errors import HostError
from remotejobs.jobs.locks import HostLock, LockFailed, LockHeld
from tests.shell.shells import SHELLS, ShellConnection, shell_path


@pytest.fixture(params=SHELLS)
def lock(request: pytest.FixtureRequest, tmp_path: Path) -> HostLock:
    connection = ShellConnection(shell_path(tmp_path / "bin", request.param), tmp_path)
    return HostLock(Shell(connection), "migration", directory=f"{tmp_path}/jobs of 'nobody'")


@pytest.fixture
def another(tmp_path: Path) -> Callable[[str], HostLock]:
    """A lock under dash, for what does not depend on the shell."""
    connection = ShellConnection(shell_path(tmp_path / "bin", "dash"), tmp_path)
    return lambda directory: HostLock(Shell(connection), "migration", directory=directory)


def test_a_lock_names_its_holder_and_since_when(lock: HostLock, tmp_path: Path) -> None:
    assert lock.holder() is None
    holder = lock.take("run-1", label="migration of 'orders'", note="db1 db2")
    assert (holder.owner, holder.label, holder.note) == ("run-1", "migration of 'orders'", "db1 db2")
    assert holder.since.endswith("Z")
    assert holder.path == f"{tmp_path}/jobs of 'nobody'/.locks/migration"
    assert lock.holder() == holder


def test_its_owner_may_take_it_again_and_keeps_the_time(lock: HostLock) -> None:
    first = lock.take("run-1", label="first", note="db1")
    assert lock.take("run-1", label="second", note="db2") == first


def test_nobody_else_gets_it_or_gives_it_back(lock: HostLock) -> None:
    lock.take("run-1", label="migration blue-fox")
    with pytest.raises(LockHeld, match=r"migration is locked by migration blue-fox \(run-1\) since 2.*Z; the file"):
        lock.take("run-2", label="migration red-hen")
    with pytest.raises(LockHeld, match="run-1"):
        lock.release("run-2")
    assert lock.holder() is not None


def test_given_back_it_is_free_and_giving_it_back_twice_does_no_harm(lock: HostLock) -> None:
    lock.take("run-1", label="one")
    lock.release("run-1")
    lock.release("run-1")
    assert lock.holder() is None
    assert lock.take("run-2", label="two").owner == "run-2"


def test_of_many_at_once_one_gets_it(another: Callable[[str], HostLock], tmp_path: Path) -> None:
    crowd = 8

    def take(lock: HostLock, number: int, together: Barrier) -> bool:
        together.wait()
        try:
            lock.take(f"run-{number}", label="crowd")
        except LockHeld:
            return False
        return True

    with ThreadPoolExecutor(crowd) as pool:
        for name in map(str, range(6)):
            lock, together = another(f"{tmp_path}/{name}"), Barrier(crowd)
            assert sum(pool.map(lambda number: take(lock, number, together), range(crowd))) == 1  # noqa: B023
            assert [path.name for path in (tmp_path / name / ".locks").iterdir()] == ["migration"]


def test_only_its_user_can_read_it(another: Callable[[str], HostLock], tmp_path: Path) -> None:
    path = Path(another(f"{tmp_path}/jobs").take("run-1", label="one").path)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_lock_that_cannot_be_written_is_an_error_and_no_lock(another: Callable[[str], HostLock]) -> None:
    with pytest.raises(LockFailed, match="/proc/nowhere"):
        another("/proc/nowhere").take("run-1", label="one")


def test_a_file_that_names_no_owner_is_held_by_nobody_we_know(
    another: Callable[[str], HostLock], tmp_path: Path
) -> None:
    lock = another(f"{tmp_path}/jobs")
    Path(lock.take("run-1", label="one").path).write_text("")
    with pytest.raises(LockHeld, match="an unknown holder"):
        lock.take("run-1", label="one")


def test_a_lock_s_name_cannot_leave_its_directory(tmp_path: Path) -> None:
    connection = ShellConnection(shell_path(tmp_path / "bin", "dash"), tmp_path)
    with pytest.raises(HostError, match="not allowed"):
        HostLock(Shell(connection), "../migration", directory=f"{tmp_path}/jobs").take("run-1", label="one")
    assert not (tmp_path / "jobs").exists()
