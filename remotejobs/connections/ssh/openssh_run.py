"""The directory for a socket of ssh, and ssh run to its end with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_LONGEST = 107  # bytes of a socket's path: sun_path of <sys/un.h> without its end
_LISTENING = 17  # ssh listens under the name with `.` and sixteen letters behind it first, and renames that
_HEARD = 64 * 1024  # bytes of what ssh and a ProxyCommand say, from the end


def socket_directory() -> Path:
    """A new directory of ours alone, where TMPDIR says if a socket can lie there, else in /tmp. Raises `OSError`."""
    usual = Path(tempfile.gettempdir())
    chosen = usual if _can_hold_a_socket(usual) else Path("/tmp")  # noqa: S108 - ours alone
    return Path(tempfile.mkdtemp(prefix="rj-ssh-", dir=chosen))


def _can_hold_a_socket(directory: Path) -> bool:
    """Whether ssh takes the path as it is, and no other user can put a directory in the place of ours."""
    fits = len(os.fsencode(directory)) + len("/rj-ssh-12345678/m") + _LISTENING <= _LONGEST
    # ssh fills in what stands behind these.
    literal = not set("%$") & set(str(directory))
    mode = directory.stat().st_mode
    return fits and literal and (not mode & 0o022 or bool(mode & stat.S_ISVTX))


def run_to_its_end(
    words: Sequence[str], environment: Mapping[str, str], said_in: Path, within: float
) -> tuple[int, str]:
    """The exit status, and the last 64 KiB of what was said on stderr.

    stderr goes to the file `said_in`: a pipe would stay open in what goes to the background. When it fails, or
    takes longer than `within` seconds (`subprocess.TimeoutExpired`), all that it started is killed with it: a
    ProxyCommand, or the ssh to a jump host, may not care that it has gone. `OSError` when it cannot be run.
    """
    with said_in.open("w+b") as said:
        process = subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said.fileno(),
            start_new_session=True,
        )
        try:
            process.wait(within)
        finally:
            if process.returncode != 0:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said.seek(max(0, said.seek(0, os.SEEK_END) - _HEARD))
        return process.returncode, said.read().decode("utf-8", "replace")
