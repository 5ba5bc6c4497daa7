"""`remotejobs clean`: remove what old jobs left on every host. A running job is never touched."""

from __future__ import annotations

from argparse import Namespace

from remotejobs.cli import exits
from remotejobs.cli.listing import jobs_of, say_jobs
from remotejobs.cli.parser import Commands, Parser, add_command, add_reach, count, seconds
from remotejobs.cli.show import gather, warn
from remotejobs.cli.target import Target
from remotejobs.display.text import number_of


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
        outcomes = gather(
            fleet, lambda jobs: jobs.clean(older_than=args.older_than, keep=args.keep, dry_run=args.dry_run)
        )
    say_jobs(outcomes, json=args.json, verbose=args.verbose)
    if not args.json:
        warn(f"{number_of(len(jobs_of(outcomes)), 'job')} {'would be removed' if args.dry_run else 'removed'}")
    return exits.of_errors(outcomes)
