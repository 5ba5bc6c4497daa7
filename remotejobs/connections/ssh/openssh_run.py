"""ssh run to its end with all that it started, and what was heard of it meanwhile."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

_HEARD = 64 * 1024  # bytes of each of the two, from the end
_LOOKS = 0.05  # seconds after which an end is checked for that no stream showed


@dataclass(frozen=True)
class SshOutput:
    """What came of a ssh, apart: only what it reports itself goes to its log."""

    log: str
    """Its own messages. Some of them quote the server."""
    beside: str
    """What it passes on, such as the server's banner, and what programs say that it started."""


class GivenUp(Exception):
    """Nobody waits any more for the end of a ssh, and it was killed."""


def run_to_its_end(
    words: Sequence[str], environment: Mapping[str, str], log: Path, within: float, given_up: Event
) -> tuple[int, SshOutput]:
    """The exit status of `words`, which let ssh log to `log` (-E), and what was heard.

    Both streams are read all the time and only their ends kept: a server that says much neither fills a disk nor holds
    ssh up. They stay open in what goes to the background, so their ends are not waited for; what a master logs later
    is lost. When ssh fails, takes longer than `within` seconds (`subprocess.TimeoutExpired`), or was `given_up`
    (`GivenUp`), all that it started is killed with it: a ProxyCommand, or the ssh to a jump host, may not care that it
    has gone. `OSError` when it cannot be run.
    """
    with ExitStack() as opened:
        os.mkfifo(log, 0o600)
        opened.callback(log.unlink, missing_ok=True)
        # Open for both, so that it has no end while ssh has not opened it yet.
        logged = os.open(log, os.O_RDWR | os.O_NONBLOCK)
        opened.callback(os.close, logged)
        said, saying = os.pipe()
        opened.callback(os.close, said)
        os.set_blocking(said, False)
        try:
            process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=saying,
                start_new_session=True,
            )
        finally:
            os.close(saying)
        streams = opened.enter_context(closing(_Tails(logged, said)))
        try:
            streams.read_until_exit(process, within, given_up)
        finally:
            if process.returncode != 0:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        streams.read(0)
        return process.returncode, SshOutput(streams.text(logged), streams.text(said))


class _Tails:
    """The ends of what comes on some streams."""

    def __init__(self, *streams: int) -> None:
        self._ends = dict.fromkeys(streams, b"")
        self._open = selectors.DefaultSelector()
        for stream in streams:
            self._open.register(stream, selectors.EVENT_READ)

    def read_until_exit(self, process: subprocess.Popen[bytes], within: float, given_up: Event) -> None:
        deadline = time.monotonic() + within
        while process.poll() is None:
            if given_up.is_set():
                raise GivenUp
            if time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(process.args, within)
            self.read(_LOOKS)

    def read(self, wait: float) -> None:
        """Take what there is, and wait for it as long as that."""
        for key, _ in self._open.select(wait):
            stream = key.fd
            if chunk := os.read(stream, _HEARD):
                self._ends[stream] = (self._ends[stream] + chunk)[-_HEARD:]
            else:
                self._open.unregister(stream)

    def close(self) -> None:
        self._open.close()

    def text(self, stream: int) -> str:
        return self._ends[stream].decode("utf-8", "replace")
