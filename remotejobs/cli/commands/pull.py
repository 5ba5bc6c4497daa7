"""`remotejobs pull`: copy a file from every host to here."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from remotejobs.cli.parser import Commands, Parser, add_command, add_rate, add_reach
from remotejobs.cli.target import Target
from remotejobs.errors import UsageError
from remotejobs.operations.placeholders import filled


def add(commands: Commands[Parser]) -> None:
    parser = add_command(
        commands,
        "pull",
        execute,
        details=False,
        purpose="copy a large file from every host to here, resumed and checked",
    )
    parser.add_argument("source", metavar="FILE", help="path over there")
    parser.add_argument("dest", metavar="DEST", help="path here; {host} in it is the host's name: logs/{host}.log")
    add_rate(parser)
    add_reach(parser)


def execute(args: Namespace) -> int:
    from remotejobs.cli.transfers import transfer  # only transfers need these
    from remotejobs.operations.transfer import Throttle, pull

    with Target.of(args).fleet() as fleet:
        places = {name: filled(args.dest, host) for name, host in fleet.hosts.items()}
        if len(set(places.values())) < len(places):
            raise UsageError(f"{len(places)} hosts would write to {args.dest}", remedy="Put {host} into it.")
        throttle = Throttle(args.rate)
        return transfer(
            fleet,
            args,
            lambda ends, report: pull(
                args.source, Path(places[ends.files.host]), ends, throttle=throttle, report=report
            ),
        )
