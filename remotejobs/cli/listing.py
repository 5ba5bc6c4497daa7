"""What `list` and `clean` share: many jobs of many hosts as one table, or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from remotejobs.cli.show import say, warn_of_errors
from remotejobs.display.json_lines import json_line
from remotejobs.display.paint import Paint, width_of
from remotejobs.display.row import row_of
from remotejobs.display.table import table
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record

HEADS = ("host", "jid", "state", "label", "start", "time", "rc", "msg")


def jobs_of(results: Sequence[HostResult[tuple[Record, ...]]]) -> list[HostResult[Record]]:
    """The jobs of each host, newest first."""
    return [HostResult(record.host, value=record) for result in results for record in _newest_first(result)]


def say_jobs(results: Sequence[HostResult[tuple[Record, ...]]], *, json: bool, verbose: bool) -> None:
    """Print the jobs of each host, newest first, and the errors."""
    jobs = jobs_of(results)
    if json:
        for job in jobs:
            say(json_line(job, ""))
        for result in results:
            if result.error:
                say(json_line(HostResult(result.host, error=result.error), ""))
        return
    if jobs:
        heads = (*HEADS, "results_dir") if verbose else HEADS
        cells = [_cells(job)[: len(heads)] for job in jobs]
        columns = 0 if verbose else width_of(sys.stdout)
        for line in table(heads, cells, Paint.for_stream(sys.stdout), columns=columns):
            say(line)
    warn_of_errors(results)


def _newest_first(result: HostResult[tuple[Record, ...]]) -> list[Record]:
    return sorted(result.value or (), key=lambda record: record.start, reverse=True)


def _cells(job: HostResult[Record]) -> tuple[str, ...]:
    row, record = row_of(job), job.value
    assert record is not None
    return (row.host, record.jid, row.state, record.label, record.start, row.time, row.rc, row.msg, record.results_dir)
