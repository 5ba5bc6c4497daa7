"""What `push` and `pull` share: many hosts side by side, a bar for each on a terminal, a line for each at its end."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from threading import BoundedSemaphore

from remotejobs.cli import exit_codes
from remotejobs.cli.fan_out import side_by_side
from remotejobs.cli.show import say, warn_of_errors
from remotejobs.display.paint import is_terminal
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import DEFAULT_FORKS, Fleet, HostResult
from remotejobs.operations.transfer import Ends, Moved, Transferred
from remotejobs.text import duration, size, visible

Work = Callable[[Ends, Callable[[Moved], None]], Transferred]


def transfer(fleet: Fleet, args: Namespace, work: Work) -> int:
    """`work` on every host, on as many at a time as there are forks; says what came of each, returns the exit code."""
    free = BoundedSemaphore(args.forks or DEFAULT_FORKS)

    def one(jobs: HostJobs, report: Callable[[Moved], None]) -> Transferred:
        ends = Ends.of(fleet, jobs.host)
        with free, closing(ends.files):
            return work(ends, report)

    ended: dict[str, HostResult[Transferred]] = {}
    with _bars(show=not args.json and is_terminal(sys.stdout)) as bars:
        for item in side_by_side(fleet, one):
            if isinstance(item, HostResult):
                ended[item.host] = item
            else:
                bars(item)
    results = [ended[name] for name in fleet.hosts]
    for result in results:
        if args.json:
            say(_json(result))
        elif result.value:
            say(visible(_line(result.value)))
    if not args.json:
        warn_of_errors(results)
    return exit_codes.of_errors(results)


def _line(done: Transferred) -> str:
    if not done.changed:
        return f"{done.host}: {done.path} was there already ({size(done.bytes)}, sha256 {done.sha256[:12]})"
    notes = [f"{size(done.resumed)} from an earlier try"] if done.resumed else []
    notes += [f"{done.cuts} lost connections"] if done.cuts else []
    more = f"; {', '.join(notes)}" if notes else ""
    took = duration(done.seconds)
    return f"{done.host}: {done.path} ({size(done.bytes)} in {took}, sha256 {done.sha256[:12]} on both ends{more})"


def _json(result: HostResult[Transferred]) -> str:
    value = asdict(result.value) if result.value else {}
    return json.dumps({"host": result.host, **value, "error": str(result.error) if result.error else ""})


@contextmanager
def _bars(*, show: bool) -> Iterator[Callable[[Moved], None]]:
    if not show:
        yield lambda _moved: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(binary_units=True))
    with Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), transient=True) as progress:
        tasks = {}

        def report(moved: Moved) -> None:
            if moved.host not in tasks:
                tasks[moved.host] = progress.add_task(visible(moved.host), total=moved.total)
            progress.update(tasks[moved.host], completed=moved.done, total=moved.total)

        yield report
