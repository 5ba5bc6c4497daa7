"""How much of a stream of a job's output a report shows, and what it says of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from remotejobs.display.events import CommandLine
from remotejobs.display.paint import Paint
from remotejobs.model import Record
from remotejobs.text import decoded, indented, one_line, size

LAST_LINES = 5  # of each stream of a job that did not succeed


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stream's text as far as it is shown; `head` says which part of it that is, or nothing where it is all."""

    head: str
    text: str
    cut: bool


def excerpt(content: bytes, total: int, *, whole: bool) -> Excerpt | None:
    """Of `content`, the end of `total` bytes, all or the last lines; None where nothing is to be shown."""
    text = decoded(content).rstrip("\n")
    if not text:
        return None
    lines, missing = text.split("\n"), len(content) < total
    if not whole and len(lines) > LAST_LINES:
        all_there = size(total) if missing else f"{len(lines)} lines"
        unit = "lines " if missing else ""
        return Excerpt(f"the last {LAST_LINES} {unit}of {all_there}", "\n".join(lines[-LAST_LINES:]), cut=True)
    return Excerpt(f"the last {size(len(content))} of {size(total)}" if missing else "", text, cut=missing)


def stream_lines(record: Record, name: str, *, paint: Paint, command: CommandLine, whole: bool) -> Iterator[str]:
    """What is shown of the stream `name` of a job's output, line by line, and how to see the rest of it."""
    content, total = (record.stdout, record.stdout_bytes) if name == "stdout" else (record.stderr, record.stderr_bytes)
    shown = excerpt(content, total, whole=whole)
    if shown is None:
        return
    if shown.head or name == "stderr":
        yield paint.faint(f"  {', '.join(filter(None, (name, shown.head)))}:")
    yield indented(shown.text)
    if shown.cut:
        options = ("--stderr",) if name == "stderr" else ()
        yield paint.faint(f"  All of it: {one_line(command('log', record.host, *options))}")
