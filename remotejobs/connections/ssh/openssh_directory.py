"""Directories for the sockets of ssh: private, locked by the process that made them, and swept once that is dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import stat
import tempfile
import threading
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

_PREFIX = "rj-ssh-"
_OWNER = "owner"  # a file that the directory's maker holds locked: the kernel frees it when that process dies
_LONGEST = 107  # bytes of a socket's path: sun_path of <sys/un.h> without its end
_LISTENING = 17  # ssh listens under the name with `.` and sixteen letters behind it first, and renames that

_swept: set[Path] = set()
_sweeping = threading.Lock()


@dataclass(frozen=True)
class SocketDirectory:
    """Made by `socket_directory`."""

    path: Path
    _lock: FileIO

    @property
    def socket(self) -> Path:
        """Where the master listens."""
        return self.path / "m"

    def remove(self) -> None:
        """Remove it with all that is in it; several threads may."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def socket_directory() -> SocketDirectory:
    """A new directory of ours alone, where TMPDIR says if a socket can lie there, else in /tmp. Raises `OSError`."""
    usual = Path(tempfile.gettempdir())
    chosen = usual if _can_hold_a_socket(usual) else Path("/tmp")  # noqa: S108 - ours alone
    with _sweeping:
        if chosen not in _swept:
            _swept.add(chosen)
            sweep(chosen)
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=chosen))
        # A sweep at this moment may take it for a dead process's until it is locked.
        if (lock := _lock(path, os.O_CREAT | os.O_EXCL)) is not None:
            return SocketDirectory(path, lock)


def _can_hold_a_socket(directory: Path) -> bool:
    """Whether ssh takes the path as it is, and no other user can put a directory in the place of ours."""
    fits = len(os.fsencode(directory)) + len(f"/{_PREFIX}12345678/m") + _LISTENING <= _LONGEST
    # ssh fills in what stands behind these.
    literal = not set("%$") & set(str(directory))
    mode = directory.stat().st_mode
    return fits and literal and (not mode & 0o022 or bool(mode & stat.S_ISVTX))


def sweep(within: Path) -> None:
    """Remove the directories of controllers that were killed.

    Only what is proven to be one: a directory of this user, whose owner no longer holds its lock, and on whose socket
    no master listens. A master ends by itself some time after its controller; then a later sweep finds the directory.
    """
    with contextlib.suppress(OSError):
        for path in within.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                _sweep_one(path)


def _sweep_one(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
        return
    if (lock := _lock(path, 0)) is None:
        return
    try:
        if not _is_listened_on(path / "m"):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        lock.close()


def _lock(path: Path, flags: int) -> FileIO | None:
    """The owner's file, locked; None if another process has it locked, or it is no longer that of the directory."""
    place = path / _OWNER
    try:
        lock = FileIO(os.open(place, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600), "r+")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock.fileno()), place.lstat()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        lock.close()
        raise
    lock.close()
    return None


def _is_listened_on(place: Path) -> bool:
    """Whether a process listens on this socket; True in doubt."""
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(place))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True
