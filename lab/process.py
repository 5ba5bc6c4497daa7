"""A server program that the lab runs: in a session of its own, its words in a log, ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

READY_WITHIN = 90.0
GRACE = 10.0
_STEP = 0.05


class LabError(RuntimeError):
    """The lab could not do its part; the message names the program, where its log is, and its last words."""


class Server:
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
                ["setpriv", "--pdeathsig=TERM", *command],
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
        family = [_Kin.of(pid) for pid in _descendants(self._process.pid)]
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.alive:
                self._process.send_signal(first)
            self._process.wait(GRACE)
        if self.alive:
            self._process.kill()
        self._process.wait()
        for kin in family:
            kin.kill()
        self._process = None


class _Kin:
    """A process known by pid and start time, so that a reused pid is never killed."""

    def __init__(self, pid: int, born: str) -> None:
        self.pid = pid
        self.born = born

    @classmethod
    def of(cls, pid: int) -> _Kin:
        return cls(pid, _born(pid))

    def kill(self) -> None:
        if self.born and _born(self.pid) == self.born:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _born(pid: int) -> str:
    """Clock ticks since boot at which `pid` started; empty when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _descendants(pid: int) -> Iterator[int]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                yield int(child)
                yield from _descendants(int(child))
