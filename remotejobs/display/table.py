"""Plain tables: columns as wide as their widest cell, no lines, so that they can be read, cut and grepped."""

from __future__ import annotations

from collections.abc import Sequence

from remotejobs.display.paint import Paint
from remotejobs.display.text import one_line

GAP = "  "


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint) -> list[str]:
    """The lines of a table; cells are made fit to be shown, and the column `state` is coloured."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = [paint.strong(GAP.join(head.ljust(width) for head, width in zip(heads, widths, strict=True)).rstrip())]
    for row in cells:
        padded = [
            paint.state(cell, width) if head == "state" else cell.ljust(width)
            for head, cell, width in zip(heads, row, widths, strict=True)
        ]
        lines.append(GAP.join(padded).rstrip())
    return lines
