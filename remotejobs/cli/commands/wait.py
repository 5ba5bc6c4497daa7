"""`remotejobs wait`: wait until a job has ended on every host, or on enough of them."""

from __future__ import annotations

from argparse import Namespace

from remotejobs.cli import exit_codes
from remotejobs.cli.fan_out import awaited
from remotejobs.cli.parser import Commands, Parser, add_command, add_jid, add_poll, add_reach, add_results, at_least_one
from remotejobs.cli.show import HostResults, follow, jobs_run_on, say, say_summary, view_of
from remotejobs.cli.target import Target
from remotejobs.cli.tree import kept_in
from remotejobs.errors import UsageError
from remotejobs.model import check_jid
from remotejobs.text import number_of


def add(commands: Commands[Parser]) -> None:
    parser = add_command(commands, "wait", execute, purpose="wait until a job has ended on every host")
    add_jid(parser)
    enough = parser.add_mutually_exclusive_group()
    enough.add_argument("--any", action="store_const", dest="count", const=1, help="only until one host's has ended")
    enough.add_argument(
        "--count", metavar="N", type=at_least_one, help="only until it has ended on N hosts (default all)"
    )
    add_poll(parser)
    add_reach(parser)
    add_results(parser)


def execute(args: Namespace) -> int:
    if args.fold and args.json:
        args.parser.error("--fold is for people and --json for programs: give one of them")
    jid, target = check_jid(args.jid), Target.of(args)
    if args.poll == 0:
        raise UsageError("wait with -P 0 would not wait", remedy="Use status to ask once, or at least -P 1.")
    with target.fleet() as fleet:
        if args.count and args.count > len(fleet.hosts):
            raise UsageError(
                f"--count is {args.count}", remedy=f"The pattern names {number_of(len(fleet.hosts), 'host')}."
            )
        view = view_of(fleet, target, jid, json=args.json, verbose=args.verbose, fold=args.fold)
        view = kept_in(args.tree, view, jid)
        with jobs_run_on(target, jid):
            results = follow(fleet, view, awaited(fleet, jid, args.poll, view.first_poll), count=args.count)
        code = _exit_code(results, args.count)
        if not args.json:
            say_summary(results, table=not args.fold)
        if rest := len(fleet.hosts) - len(results):
            if not args.json:
                say(f"{number_of(rest, 'host')} not awaited: {target.command('status', jid)}")
            exit_codes.leave(code)  # not returned: what is just being connected would be waited for
    return code


def _exit_code(results: HostResults, count: int | None) -> int:
    """Where enough have ended, how these did; a host that could not be asked is reported, but does not matter then."""
    ended = tuple(result for result in results if result.value)
    return exit_codes.of_jobs(ended if count and len(ended) >= count else results)
