"""`remotejobs push`: copy a file from here to every host."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from remotejobs.cli.parser import Commands, Parser, add_command, add_rate, add_reach
from remotejobs.cli.target import Target


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
    add_rate(parser)
    add_reach(parser)


def execute(args: Namespace) -> int:
    from remotejobs.cli.transfers import transfer  # only transfers need these
    from remotejobs.operations.transfer import Throttle, push, sum_of
    from remotejobs.operations.transfer.push import size_and_mode

    size_and_mode(args.source)
    with Target.of(args).fleet() as fleet:
        sha256, throttle = sum_of(args.source), Throttle(args.rate)
        return transfer(
            fleet,
            args,
            lambda ends, report: push(args.source, args.dest, ends, sha256=sha256, throttle=throttle, report=report),
        )
