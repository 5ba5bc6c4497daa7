"""A server program that the lab runs: in a session of its own, its words in a log, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.ports import listening_sockets

READY_WITHIN = 300.0  # seconds; a Prefect server takes ten, and minutes on a machine that has much else to do
GRACE = 10.0
_STEP = 0.05

# The kernel signals a parent's death to a child only once the child has asked for it. A parent that died before is not
# the parent any more when the shell checks.
_ENDS_WITH_US = ("setpriv", "--pdeathsig=TERM", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')


class LabError(RuntimeError):
    """The lab could not do its part; the message names the program, where its log is, and its last words."""


class ServerProcess:
    """A child process that is awaited until it is ready and ended with its descendants.

    It gets a session of its own, so that Ctrl-C at the terminal reaches only the lab, which then ends it. Should the
    lab be killed without a chance to do so, the kernel sends it SIGTERM.
    """

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [*_ENDS_WITH_US, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=env,
                cwd=cwd,
            )

    @property
    def pid(self) -> int:
        if self._process is None:
            raise LabError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def listens_on(self, port: int) -> bool:
        """Whether it is this server, or a process that it started, that listens on `port` of 127.0.0.1."""
        if not self.alive or not (wanted := listening_sockets(port)):
            return False
        return any(wanted & set(_open_files(pid)) for pid in (self.pid, *descendants(self.pid)))

    def await_ready(self, ready: Callable[[], bool], within: float = READY_WITHIN) -> None:
        """Ask `ready` until it says yes; `LabError` with the log's end when the process ends first or time is up."""
        deadline = time.monotonic() + within
        while not ready():
            if not self.alive:
                raise LabError(f"{self.name} ended before it was ready. {self.last_words()}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} was not ready after {within:.0f} s. {self.last_words()}")
            time.sleep(_STEP)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"Its log {self.log} ends with:", *lines[-15:]])

    def end(self, first: signal.Signals = signal.SIGTERM) -> None:
        """Ask with `first`, wait, then kill it and every descendant that is left. Ending it twice does no harm."""
        if self._process is None:
            return
        with ExitStack() as stack:
            family = [stack.enter_context(_held(pid)) for pid in descendants(self._process.pid)]
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self.alive:
                    self._process.send_signal(first)
                self._process.wait(GRACE)
            if self.alive:
                self._process.kill()
            self._process.wait()
            for pidfd in family:
                _kill(pidfd)
        self._process = None


@contextmanager
def _held(pid: int) -> Iterator[int | None]:
    """A descriptor that stays with this process when its pid is given to another; None when it is gone already."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def _kill(pidfd: int | None) -> None:
    """Kill it and wait until it is gone: it becomes readable then."""
    if pidfd is None:
        return
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [], GRACE)


def _open_files(pid: int) -> Iterator[str]:
    """The links in /proc/PID/fd; nothing of a process that ends."""
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())


def descendants(pid: int) -> Iterator[int]:
    """The processes that it started, and theirs, in whatever session."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                yield int(child)
                yield from descendants(int(child))
