"""Polling the jobs of many hosts again and again: as a table with keys on a terminal, as lines in a pipe."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from remotejobs.cli import exit_codes
from remotejobs.cli.fan_out import side_by_side
from remotejobs.cli.show import say, warn
from remotejobs.cli.target import Target
from remotejobs.display.paint import Paint, is_terminal
from remotejobs.display.row import row_of
from remotejobs.errors import HostError, UsageError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.estimate import with_usual
from remotejobs.jobs.fleet import Fleet, HostResult
from remotejobs.jobs.snapshot import HostSnapshot, Polling, Snapshot, host_snapshot_of
from remotejobs.jobs.summary import counted, summary
from remotejobs.jobs.wait import DEFAULT_CONTACT_TIMEOUT
from remotejobs.model import Record
from remotejobs.text import one_line, visible

EVER = 10.0**9


def watch(args: Namespace) -> NoReturn:
    """Until the user ends it or, where jobs are named, until all of them have ended."""
    fleet = Target.of(args).fleet()
    since = args.since if args.since is not None else EVER if args.jobs else 3600.0
    snapshot = Snapshot(list(fleet.hosts), jobs=args.jobs or "*", since=since)
    polling = partial(_poll_again_and_again, poll=args.poll)

    def is_over() -> bool:
        return bool(args.jobs) and snapshot.ended(DEFAULT_CONTACT_TIMEOUT)

    if is_terminal(sys.stdout) and sys.stdin.isatty():
        from remotejobs.cli.live.screen import Screen  # rich takes 60 ms to import, which a pipe need not wait for

        Screen(fleet, snapshot, poll=args.poll).show(polling, is_over)
    else:
        _print_changes(fleet, snapshot, polling, is_over)
    # Not returned: the hosts' threads would poll for ever.
    exit_codes.leave(_exit_code(snapshot, args.jobs))


def _poll_again_and_again(jobs: HostJobs, report: Callable[[HostSnapshot], None], *, poll: float) -> None:
    while True:
        try:
            report(HostSnapshot(jobs.host, with_usual(jobs.list())))
        except HostError as exc:
            report(HostSnapshot(jobs.host, error=exc))
        time.sleep(poll)


def _print_changes(fleet: Fleet, snapshot: Snapshot, polling: Polling, is_over: Callable[[], bool]) -> None:
    paint, counts = Paint.for_stream(sys.stdout), ""
    for item in side_by_side(fleet, polling):
        for change in snapshot.take(host_snapshot_of(item)):
            say(_line(change, paint))
        if snapshot.asked and (new := counted(snapshot.reported)) != counts:
            counts = new
            say(f"{_time()}  {summary(snapshot.records)}")
        if is_over():
            return


def _line(change: HostResult[Record], paint: Paint) -> str:
    row, record = row_of(change), change.value
    words = [record.jid, one_line(record.label)] if record else []
    rest = [*words, f"rc={row.rc}" if row.rc else "", row.time, row.msg]
    return "  ".join([_time(), row.host, paint.state(row.state, len("unreachable")), *filter(None, rest)]).rstrip()


def _time() -> str:
    return time.strftime("%H:%M:%S")


def _exit_code(snapshot: Snapshot, jobs: str) -> int:
    """Of named jobs how they ended; that there is none of that name is no success either."""
    if not jobs:
        return (
            exit_codes.USAGE_ERROR
            if any(isinstance(error, UsageError) for error in snapshot.unreachable.values())
            else exit_codes.OK
        )
    results = [HostResult(record.host, value=record) for record in snapshot.reported]
    results += [HostResult(host, error=error) for host, error in snapshot.unreachable.items()]
    if not results:
        warn(f"no job there is like {visible(jobs)}")
        return exit_codes.NOT_SUCCEEDED
    return exit_codes.of_jobs(results)
