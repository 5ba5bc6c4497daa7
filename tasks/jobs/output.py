"""A job's output for people: printable, bounded, and only what is new."""

from __future__ import annotations

import threading
from functools import cache

from remotejobs import text
from remotejobs.model import Handle, Record

LOG_BYTES = 4096  # of each stream and poll
_LINE = 200


def last_line(record: Record) -> str:
    """The last line of stderr, or of stdout where stderr is empty, cut to a readable length."""
    line = text.last_line(record.stderr) or text.last_line(record.stdout)
    return line if len(line) <= _LINE else f"{line[:_LINE]}…"


class Followed:
    """How much of each job's output was shown in this process; a resumed process starts from the end of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: dict[tuple[str, str, str], tuple[int, int]] = {}

    def fresh(self, handle: Handle, record: Record) -> str:
        """What is new in both streams of `record`, at most the last 4 KiB of each. An ended job is forgotten."""
        key = (handle.host, handle.become_user, handle.jid)
        with self._lock:
            out, err = self._shown.pop(key, (0, 0))
            if not record.finished:
                self._shown[key] = (record.stdout_bytes, record.stderr_bytes)
        streams = [
            _fresh("stdout", record.stdout, record.stdout_from, out),
            _fresh("stderr", record.stderr, record.stderr_from, err),
        ]
        return "\n".join(stream for stream in streams if stream)


def _fresh(name: str, content: bytes, start: int, shown: int) -> str:
    end = start + len(content)
    begin = max(shown, start, end - LOG_BYTES)
    if begin >= end:
        return ""
    skipped = f" ({begin - shown} bytes before it not shown)" if begin > shown else ""
    lines = text.visible(text.decoded(content[begin - start :])).rstrip("\n")
    return f"{name}{skipped}:\n{lines}" if lines else ""


@cache
def followed() -> Followed:
    """What was shown by this process."""
    return Followed()
