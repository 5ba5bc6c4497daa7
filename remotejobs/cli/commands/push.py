"""`remotejobs push`: copy a file from here to every host."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import Commands, Parser, add_command, add_rate, add_reach
from remotejobs.cli.target import Target
from remotejobs.text import size


def add(commands: Commands[Parser]) -> None:
    parser = add_command(
        commands,
        "push",
        execute,
        details=False,
        purpose="copy a large file from here to every host, resumed and checked",
    )
    parser.add_argument("source", metavar="FILE", type=Path, help="file on this machine")
    parser.add_argument("dest", metavar="DEST", help="path over there; with / at its end, a directory that is there")
    parser.add_argument("--dry-run", action="store_true", help="show what would go where; no host is asked")
    add_rate(parser)
    add_reach(parser)


def execute(args: Namespace) -> int:
    from remotejobs.cli.transfers import transfer  # only transfers need these
    from remotejobs.operations.transfer import Throttle, push, sum_of
    from remotejobs.operations.transfer.push import size_and_mode

    bytes_here, _ = size_and_mode(args.source)
    if args.dry_run:
        from remotejobs.cli.dry_run import say_what_would_go

        what = f"{args.source} ({size(bytes_here)})"
        say_what_would_go(Target.of(args), lambda host: (what, f"{host.name}:{args.dest}"), as_json=args.json)
        return exit_codes.OK
    with Target.of(args).fleet() as fleet:
        sha256, throttle = sum_of(args.source), Throttle(args.rate)
        return transfer(
            fleet,
            args,
            lambda ends, report: push(args.source, args.dest, ends, sha256=sha256, throttle=throttle, report=report),
        )
