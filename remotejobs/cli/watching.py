"""Looking at the jobs of many hosts again and again: as a table with keys on a terminal, as lines in a pipe."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from remotejobs.cli import exits
from remotejobs.cli.board import Board, Looks, Seen, seen_of
from remotejobs.cli.crowd import side_by_side
from remotejobs.cli.show import say, warn
from remotejobs.cli.target import Target
from remotejobs.display.paint import Paint, is_terminal
from remotejobs.display.row import row_of
from remotejobs.errors import HostError, UsageError
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.estimate import with_usual
from remotejobs.jobs.fleet import Fleet, Outcome
from remotejobs.jobs.summary import counted, summary
from remotejobs.jobs.wait import DEFAULT_PATIENCE
from remotejobs.model import Record
from remotejobs.text import one_line, visible

EVER = 10.0**9


def watch(args: Namespace) -> NoReturn:
    """Until somebody ends it or, where jobs are named, until all of them have ended."""
    fleet = Target.of(args).fleet()
    since = args.since if args.since is not None else EVER if args.jobs else 3600.0
    board = Board(list(fleet.hosts), jobs=args.jobs or "*", since=since)
    looks = partial(_look_again_and_again, poll=args.poll)

    def is_over() -> bool:
        return bool(args.jobs) and board.ended(DEFAULT_PATIENCE)

    if is_terminal(sys.stdout) and sys.stdin.isatty():
        from remotejobs.cli.screen import Screen  # rich takes 60 ms to import, which a pipe need not wait for

        Screen(fleet, board, poll=args.poll).show(looks, is_over)
    else:
        _print_changes(fleet, board, looks, is_over)
    # Not returned: the hosts' threads would look on for ever.
    exits.leave(_exit_code(board, args.jobs))


def _look_again_and_again(jobs: HostJobs, tell: Callable[[Seen], None], *, poll: float) -> None:
    while True:
        try:
            tell(Seen(jobs.host, with_usual(jobs.list())))
        except HostError as exc:
            tell(Seen(jobs.host, error=exc))
        time.sleep(poll)


def _print_changes(fleet: Fleet, board: Board, looks: Looks, is_over: Callable[[], bool]) -> None:
    paint, counts = Paint.for_stream(sys.stdout), ""
    for item in side_by_side(fleet, looks):
        for change in board.take(seen_of(item)):
            say(_line(change, paint))
        if board.asked and (new := counted(board.told)) != counts:
            counts = new
            say(f"{_time()}  {summary(board.records)}")
        if is_over():
            return


def _line(change: Outcome[Record], paint: Paint) -> str:
    row, record = row_of(change), change.value
    words = [record.jid, one_line(record.label)] if record else []
    rest = [*words, f"rc={row.rc}" if row.rc else "", row.time, row.msg]
    return "  ".join([_time(), row.host, paint.state(row.state, len("unreachable")), *filter(None, rest)]).rstrip()


def _time() -> str:
    return time.strftime("%H:%M:%S")


def _exit_code(board: Board, jobs: str) -> int:
    """Of named jobs how they ended; that there is none of that name is no success either."""
    if not jobs:
        return exits.USAGE_ERROR if any(isinstance(error, UsageError) for error in board.silent.values()) else exits.OK
    outcomes = [Outcome(record.host, value=record) for record in board.told]
    outcomes += [Outcome(host, error=error) for host, error in board.silent.items()]
    if not outcomes:
        warn(f"no job there is like {visible(jobs)}")
        return exits.NOT_SUCCEEDED
    return exits.of_jobs(outcomes)
