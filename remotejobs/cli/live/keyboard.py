"""Single keys from a terminal, without Enter."""

from __future__ import annotations

import os
import select
import termios
import tty
from types import TracebackType
from typing import Self, TextIO

_ARROWS = {"\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down"}
_MOST = 32  # bytes at a time


class Keyboard:
    """`with Keyboard(sys.stdin) as keyboard:`; the terminal is as before at the end. Ctrl-C stays an interrupt."""

    def __init__(self, stream: TextIO) -> None:
        self._file = stream.fileno()

    def keys(self, within: float) -> list[str]:
        """What was typed, once there is something, or nothing after `within` seconds: letters, and `up` and `down`."""
        if not select.select([self._file], [], [], within)[0]:
            return []
        text = os.read(self._file, _MOST).decode(errors="ignore")
        for sequence, name in _ARROWS.items():
            text = text.replace(sequence, f" {name} ")
        return [key for word in text.split() for key in ([word] if word in ("up", "down") else word)]

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)
