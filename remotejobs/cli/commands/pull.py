"""`remotejobs pull`: copy a file from every host to here."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import Commands, Parser, add_command, add_rate, add_reach
from remotejobs.cli.target import Target
from remotejobs.errors import UsageError
from remotejobs.inventory.variables import HostLike
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
    parser.add_argument("--dry-run", action="store_true", help="show what would go where; no host is asked")
    add_rate(parser)
    add_reach(parser)


def execute(args: Namespace) -> int:
    from remotejobs.cli.transfers import transfer  # only transfers need these
    from remotejobs.operations.transfer import Throttle, pull

    if args.dry_run:
        from remotejobs.cli.dry_run import say_what_would_go

        target = Target.of(args)
        planned = _places(args.dest, target.hosts())
        say_what_would_go(target, lambda host: (f"{host.name}:{args.source}", planned[host.name]), as_json=args.json)
        return exit_codes.OK
    with Target.of(args).fleet() as fleet:
        places = _places(args.dest, fleet.hosts.values())
        throttle = Throttle(args.rate)
        return transfer(
            fleet,
            args,
            lambda ends, report: pull(
                args.source, Path(places[ends.files.host]), ends, throttle=throttle, report=report
            ),
        )


def _places(dest: str, hosts: Iterable[HostLike]) -> dict[str, str]:
    """Where each host's file goes. Raises `UsageError` when two would go to the same place."""
    places = {host.name: filled(dest, host) for host in hosts}
    if len(set(places.values())) < len(places):
        raise UsageError(f"{len(places)} hosts would write to {dest}", remedy="Put {host} into it.")
    return places
