"""Plain tables: columns as wide as their widest cell, no lines, so that they can be read, cut and grepped."""

from __future__ import annotations

from collections.abc import Sequence

from remotejobs.display.paint import Paint
from remotejobs.display.width import cut, padded, width
from remotejobs.text import one_line

GAP = "  "
# What may be cut where a line does not fit, in this order, and how much of it stays: of a time its date. The other
# columns are words to type again.
LEAST = {"msg": 10, "start": 11, "label": 5}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint, *, columns: int = 0) -> list[str]:
    """The lines of a table; cells are made fit to be shown, and the column `state` is coloured.

    Lines are at most `columns` wide where cutting the columns of `LEAST` can do it; 0 leaves all cells whole.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(heads, *cells, strict=True)]
    if columns:
        widths = _fitted(heads, widths, columns)
    lines = [paint.strong(GAP.join(padded(head, wide) for head, wide in zip(heads, widths, strict=True)).rstrip())]
    for row in cells:
        fitted = [
            paint.state(cell, wide) if head == "state" else padded(cut(cell, wide), wide)
            for head, cell, wide in zip(heads, row, widths, strict=True)
        ]
        lines.append(GAP.join(fitted).rstrip())
    return lines


def _fitted(heads: Sequence[str], widths: Sequence[int], columns: int) -> list[int]:
    fitted = dict(zip(heads, widths, strict=True))
    for head, least in LEAST.items():
        excess = sum(fitted.values()) + len(GAP) * (len(heads) - 1) - columns
        if head in fitted and excess > 0:
            fitted[head] = min(fitted[head], max(least, fitted[head] - excess))
    return [fitted[head] for head in heads]
