"""The table: for a terminal by rich, and as Markdown between two marks of docs/explanation/faults.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from faults.suite import FAULTS
from faults.trial import FaultRow, TryOutcome

HEADS = ("fault", "tries", "survived", "lost", "double")
DOCUMENT = Path(__file__).parent.parent / "docs" / "explanation" / "faults.md"
_LINE = re.compile(r"^\| (?P<fault>[^|]+?) \|.*$", re.MULTILINE)


def cells_of(row: FaultRow) -> tuple[str, ...]:
    return (row.fault.name, str(row.tries), *(str(row.counts[verdict]) for verdict in TryOutcome))


def show(rows: Sequence[FaultRow], console: Console) -> None:
    """The table, and under it in which ways jobs survived, and why some did not."""
    table = Table(*HEADS)
    for row in rows:
        table.add_row(*cells_of(row), style="" if row.whole else "bold red")
    console.print(table)
    for row in rows:
        if row.ways:
            console.print(f"{row.fault.name}: {_ways(row)}", markup=False)
        for reason in row.reasons[:10]:
            console.print(f"{row.fault.name}: {reason}", markup=False, style="red")


def write(rows: Sequence[FaultRow], document: Path = DOCUMENT) -> None:
    """Put each row into the document's table, in the order of `FAULTS`; what is no fault any more goes."""
    text = document.read_text()
    head, begin, rest = text.partition("<!-- table -->\n")
    body, end, tail = rest.partition("<!-- /table -->")
    if not begin or not end:
        raise ValueError(f"{document} lacks the marks <!-- table --> and <!-- /table -->")
    known = {match["fault"]: match[0] for match in _LINE.finditer(body)} | {row.fault.name: _line(row) for row in rows}
    lines = [f"| {' | '.join(HEADS)} | what survived means | run |", "|---|--:|--:|--:|--:|---|---|"]
    lines += [known[fault.name] for fault in FAULTS if fault.name in known]
    document.write_text(head + begin + "\n".join(lines) + "\n" + end + tail)


def _line(row: FaultRow) -> str:
    scale = "full" if row.tries >= row.fault.full else "fewer"
    ways = f"; {_ways(row)}" if row.ways else ""
    return f"| {' | '.join(cells_of(row))} | {row.fault.proven} | {scale}, seed {row.seed}, {row.seconds:.0f} s{ways} |"


def _ways(row: FaultRow) -> str:
    return ", ".join(f"{many} {way}" for way, many in row.ways.most_common())
