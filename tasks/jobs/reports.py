"""Tables in the UI: what a flow run did, one row for each host and step.

The UI neither sorts nor wraps a table, and cuts what does not fit: so what went wrong is in the first rows, and why in
the first columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_table_artifact

from remotejobs.model import Record
from remotejobs.prefect.tasks.jobs.output import last_line
from remotejobs.prefect.tasks.jobs.results import WARNING, JobResult, is_unreachable_result
from remotejobs.text import duration, one_line

TableRow = dict[str, str | int | float]
_FIRST = ("host", "state", "reason", "last line")


def key_of(*words: str) -> str:
    """The key of an artifact, which names its series in the UI: a-z, 0-9 and -."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def publish_table(key: str, title: str, rows: Sequence[TableRow]) -> None:
    """Attach a table to the flow run under way: `rows` map columns to cells, `key` is as `key_of` makes it.

    The columns host, state, reason and last line come first, and every row gets all columns.
    """
    create_table_artifact(key=key, table=aligned(rows), description=title)


def aligned(rows: Sequence[TableRow]) -> list[dict[str, Any]]:
    """The rows with the same columns in the same order, as the UI takes the columns from the first one."""
    given = dict.fromkeys(column for row in rows for column in row)
    columns = [*(column for column in _FIRST if column in given), *(column for column in given if column not in _FIRST)]
    return [{column: row.get(column, "") for column in columns} for row in rows]


def head_of(result: JobResult, *, reported: bool = False) -> TableRow:
    """What a row begins with: the host, how its step ended, why on one line, and the last line of its output.

    `reported`: the output ends with a report, whose last line says nothing.
    """
    record = result.record
    # What follows the first line of a job's reason is its output.
    reason = result.reason.partition("\n")[0] if record else one_line(result.reason)
    return {
        "host": result.host,
        "state": result.state,
        "reason": reason,
        "last line": last_line(record) if record and not reported else "",
    }


def row_of(result: JobResult) -> TableRow:
    """The row of a table for the end of a command: host, step, state, rc, duration and the reason."""
    record = result.record
    rc = record.rc if record else None
    return {
        **head_of(result),
        "step": result.step,
        "rc": "" if rc is None else rc,
        "duration": duration(record.delta) if record else "",
    }


def worst_first(results: Sequence[tuple[JobResult, TableRow]]) -> list[TableRow]:
    """The rows of what failed, of what was unreachable, of warnings, and then of the rest, each in their order."""
    return [row for _, row in sorted(results, key=lambda pair: _rank(pair[0]))]


def rows_of(results: Sequence[JobResult]) -> list[TableRow]:
    """The rows of commands, as `worst_first` orders them."""
    return worst_first([(result, row_of(result)) for result in results])


def after_failures(results: Sequence[JobResult], rows: Sequence[TableRow]) -> list[TableRow]:
    """`rows`, which are those of hosts that succeeded, after those of the results that did not."""
    return [*rows_of([result for result in results if not result.succeeded]), *rows]


def _rank(result: JobResult) -> int:
    if not result.succeeded:
        return int(is_unreachable_result(result))
    return 2 if result.state == WARNING else 3


def job_row(record: Record) -> TableRow:
    """One row for a job, without its output."""
    return {
        "host": record.host,
        "jid": record.jid,
        "label": record.label,
        "state": record.state,
        "start": record.start,
        "end": record.end,
    }
