"""How much of a stream of a job's output a report shows, and what it says of the rest."""

from __future__ import annotations

from dataclasses import dataclass

from remotejobs.text import decoded, size

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
