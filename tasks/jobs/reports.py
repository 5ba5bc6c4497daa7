"""Tables in the UI: what a flow run did, one row for each host and step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_table_artifact

from remotejobs.model import Record
from remotejobs.prefect.tasks.jobs.output import last_line
from remotejobs.prefect.tasks.jobs.results import JobResult
from remotejobs.text import duration

TableRow = dict[str, str | int | float]


def key_of(*words: str) -> str:
    """The key of an artifact, which names its series in the UI: a-z, 0-9 and -."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def publish_table(key: str, title: str, rows: Sequence[TableRow]) -> None:
    """Attach a table to the flow run under way: `rows` map columns to cells, `key` is as `key_of` makes it."""
    table: list[dict[str, Any]] = [dict(row) for row in rows]
    create_table_artifact(key=key, table=table, description=title)


def row_of(result: JobResult) -> TableRow:
    """The row of a table for the end of a command: host, step, state, rc, duration and the reason."""
    record = result.record
    rc = record.rc if record else None
    return {
        "host": result.host,
        "step": result.step,
        "state": result.state,
        "rc": "" if rc is None else rc,
        "duration": duration(record.delta) if record else "",
        "message": result.reason or (last_line(record) if record else ""),
    }


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
