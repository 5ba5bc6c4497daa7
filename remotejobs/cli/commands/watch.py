"""`remotejobs watch`: the jobs of many hosts as they come and go, wherever they were started from."""

from __future__ import annotations

from argparse import Namespace

from remotejobs.cli.parser import Commands, Parser, add_command, add_reach, poll, seconds
from remotejobs.errors import UsageError

POLL = 5.0  # seconds


def add(commands: Commands[Parser]) -> None:
    parser = add_command(commands, "watch", execute, reports=False, purpose="watch the jobs of many hosts")
    parser.epilog = (
        "On a terminal: a table with keys to choose a job, see its log, kill it. In a pipe: a line for each change.\n"
        "With JOBS it ends when all of them have ended."
    )
    parser.add_argument(
        "jobs", metavar="JOBS", nargs="?", default="", help="a jid or a label, with * and ?, or how jids begin"
    )
    parser.add_argument(
        "--since", metavar="AGE", type=seconds, help="show jobs that ended since then (default 1h; with JOBS, all)"
    )
    parser.add_argument(
        "-P",
        "--poll",
        metavar="SECONDS",
        type=poll,
        default=POLL,
        help=f"poll every so many seconds (default {POLL:g})",
    )
    add_reach(parser)


def execute(args: Namespace) -> int:
    if args.poll == 0:
        raise UsageError("watch with -P 0 would not watch", remedy="Use list to ask once, or at least -P 1.")
    from remotejobs.cli.live.watching import watch  # no other command needs it

    watch(args)
