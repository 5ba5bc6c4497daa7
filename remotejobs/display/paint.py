"""Colours of the states, on a terminal that wants them."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TextIO

_RED, _GREEN, _YELLOW, _MAGENTA, _CYAN = "31", "32", "33", "35", "36"
_COLOURS = {
    "started": _CYAN,
    "attached": _CYAN,
    "queued": _YELLOW,
    "running": _CYAN,
    "succeeded": _GREEN,
    "failed": _RED,
    "timed_out": _RED,
    "stalled": _RED,
    "lost": _RED,
    "error": _RED,
    "killed": _MAGENTA,
    "no contact": _YELLOW,
    "unreachable": _YELLOW,
}


def width_of(stream: TextIO) -> int:
    """How many columns the terminal behind `stream` has; 0 where a program reads it and lines may be long."""
    return shutil.get_terminal_size().columns if is_terminal(stream) else 0


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches `stream` on a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@dataclass(frozen=True, slots=True)
class Paint:
    """Colour, or none at all: in a pipe and where NO_COLOR is set."""

    coloured: bool

    @classmethod
    def for_stream(cls, stream: TextIO) -> Paint:
        return cls(is_terminal(stream) and not os.environ.get("NO_COLOR"))

    def state(self, word: str, width: int = 0) -> str:
        """A state's word in its colour, filled up to `width` columns."""
        return self._sgr(_COLOURS.get(word, ""), word.ljust(width))

    def faint(self, text: str) -> str:
        return self._sgr("2", text)

    def strong(self, text: str) -> str:
        return self._sgr("1", text)

    def _sgr(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured and code else text
