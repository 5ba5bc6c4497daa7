"""`remotejobs clean`: remove what old jobs left on every host. A running job is never touched."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

from remotejobs.cli import exit_codes
from remotejobs.cli.listing import jobs_of, say_jobs
from remotejobs.cli.parser import Commands, Parser, add_command, add_reach, count, seconds
from remotejobs.cli.show import gather, say
from remotejobs.cli.target import Target
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record
from remotejobs.text import number_of, span


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed from a host, and what is there where nothing was."""

    removed: tuple[Record, ...]
    left: tuple[Record, ...]


def add(commands: Commands[Parser]) -> None:
    parser = add_command(
        commands, "clean", execute, purpose="remove the records and output of old jobs; running ones stay"
    )
    parser.add_argument(
        "--older-than", metavar="AGE", type=seconds, default="1d", help="only jobs that ended before (default 1d)"
    )
    parser.add_argument("--keep", metavar="N", type=count, default=0, help="keep the newest N of each host (default 0)")
    parser.add_argument("--dry-run", action="store_true", help="show what would be removed")
    add_reach(parser)


def execute(args: Namespace) -> int:
    with Target.of(args).fleet() as fleet:
        results = gather(fleet, lambda jobs: _clean(jobs, args))
    removed = [HostResult(one.host, value=one.value.removed if one.value else None, error=one.error) for one in results]
    say_jobs(removed, json=args.json, verbose=args.verbose)
    if not args.json:
        number = len(jobs_of(removed))
        why = "" if number else _why_none([one.value.left for one in results if one.value], args)
        say(f"{number_of(number, 'job')} {'would be removed' if args.dry_run else 'removed'}{why}")
    return exit_codes.of_errors(results)


def _clean(jobs: HostJobs, args: Namespace) -> Cleaned:
    removed = jobs.clean(older_than=args.older_than, keep=args.keep, dry_run=args.dry_run)
    return Cleaned(removed, () if removed else jobs.list())


def _why_none(hosts: Sequence[tuple[Record, ...]], args: Namespace) -> str:
    """Why each of the jobs there stays. None was removed: of those that ended, the rest is young."""
    running = sum(not record.finished or record.still_runs for jobs in hosts for record in jobs)
    ended = [sum(record.finished and not record.still_runs for record in jobs) for jobs in hosts]
    kept = sum(min(number, args.keep) for number in ended)
    reasons = [
        f"{running} still {'runs' if running == 1 else 'run'}" if running else "",
        f"{kept} kept as the newest" if kept else "",
        f"{sum(ended) - kept} ended less than {span(args.older_than)} ago" if sum(ended) > kept else "",
    ]
    return f" ({', '.join(filter(None, reasons)) or 'there are none'})"
