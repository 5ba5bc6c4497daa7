"""The jobs of many hosts as a table on a terminal that fits its height, around the one that is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from remotejobs.display.paint import Paint
from remotejobs.display.row import row_of
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record
from remotejobs.text import one_line

HEADS = ("host", "state", "label", "time", "rc", "msg", "jid")


def jobs_table(records: Sequence[Record], chosen: int, room: int, paint: Paint) -> Table:
    """At most `room` rows, among them that of index `chosen`, which is marked."""
    table = Table(box=None, pad_edge=False, expand=False, header_style="bold")
    for head in HEADS:
        table.add_column(head, no_wrap=True, overflow="ellipsis", ratio=1 if head == "msg" else None)
    first = max(0, min(chosen - room // 2, len(records) - room))
    for index, record in enumerate(records[first : first + room], first):
        row = row_of(HostResult(record.host, value=record))
        state = Text.from_ansi(paint.state(row.state))
        label = one_line(record.label)
        cells = (row.host, state, label, row.time, row.rc, row.msg, record.jid)
        table.add_row(
            *(cell if isinstance(cell, Text) else Text(cell) for cell in cells),
            style="reverse" if index == chosen else "",
        )
    return table
