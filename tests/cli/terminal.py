"""Running the command on a terminal, as a person does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence

from tests.cli.running import COMMAND, environment

Act = bytes | signal.Signals | Callable[[], object]


def on_terminal(
    *words: str,
    steps: Sequence[tuple[str, Act]] = (),
    columns: int = 100,
    program: Sequence[str] = COMMAND,
    **env: str,
) -> tuple[int, str]:
    """Run a command line on a pseudo-terminal; returns its exit code and all that it wrote there.

    Whenever the next step's pattern is seen, its keys are pressed, its signal is sent, or it is called.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    process = subprocess.Popen(
        [*program, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(TERM="xterm-256color", **env),
        start_new_session=True,  # it knows no other terminal than this
    )
    os.close(slave)
    written, at, left = bytearray(), 0, list(steps)
    with contextlib.suppress(OSError):  # how a terminal says that nobody holds its other end
        while data := os.read(master, 65536):
            written += data
            if left and re.search(left[0][0], written[at:].decode(errors="replace")):
                at = len(written)
                _do(left.pop(0)[1], process, master)
    os.close(master)
    assert not left, f"never seen: {left[0][0]}"
    return process.wait(60), written.decode()


def _do(act: Act, process: subprocess.Popen[bytes], keyboard: int) -> None:
    if isinstance(act, signal.Signals):
        process.send_signal(act)
    elif isinstance(act, bytes):
        os.write(keyboard, act)
    else:
        act()
