"""`remotejobs kill`: end a job on every host, with proof."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace

from remotejobs.cli import exit_codes
from remotejobs.cli.fan_out import side_by_side
from remotejobs.cli.parser import Commands, Parser, add_command, add_jid, add_reach
from remotejobs.cli.show import follow, say, say_summary, view_of
from remotejobs.cli.target import Target
from remotejobs.display.events import Event
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Record, State, check_jid
from remotejobs.text import number_of


def add(commands: Commands[Parser]) -> None:
    parser = add_command(commands, "kill", execute, purpose="end a job and all its processes, and show the proof")
    add_jid(parser)
    parser.add_argument("--dry-run", action="store_true", help="show what would be ended, and end nothing")
    add_reach(parser)


def execute(args: Namespace) -> int:
    jid, target = check_jid(args.jid), Target.of(args)

    def kill(jobs: HostJobs, _report: Callable[[Event], None]) -> Record:
        return jobs.record(jid) if args.dry_run else _kill(jobs, jid)

    with target.fleet() as fleet:
        view = view_of(fleet, target, jid, json=args.json, verbose=args.verbose, output=False)
        unknown = "" if args.dry_run else "Whether it was ended there is not known"
        results = follow(fleet, view, side_by_side(fleet, kill), unknown=unknown)
    if not args.json:
        say_summary(results)
    if args.dry_run:
        if not args.json:
            going = sum(_would_be_ended(result.value) for result in results if result.value)
            say(f"{number_of(going, 'job')} would be ended. Nothing was done.")
        return exit_codes.of_errors(results)
    return exit_codes.of_kills(results)


def _would_be_ended(record: Record) -> bool:
    """Of a lost job nobody knows whether anything of it runs: a kill tries."""
    return not record.finished or record.still_runs or record.state is State.LOST


def _kill(jobs: HostJobs, jid: str) -> Record:
    """`changed` is whether there was anything to end. For a lost job that is unknown before it is tried."""
    before = jobs.record(jid)
    record = jobs.kill(jid)
    return replace(record, changed=not before.finished or before.state is State.LOST)
