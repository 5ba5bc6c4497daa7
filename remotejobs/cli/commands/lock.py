"""`remotejobs lock status|release`: which migration holds a host, and freeing one whose run will never end."""

from __future__ import annotations

from argparse import Namespace

from remotejobs.cli.parser import Commands, Parser, add_command, add_reach
from remotejobs.errors import UsageError


def add(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "lock",
        help="show or release the lock that a migration holds on hosts",
        description="Show or release the lock that a migration holds on hosts.",
        allow_abbrev=False,
    )
    parser.set_defaults(execute=_without_action, parser=parser)
    actions = parser.add_subparsers(metavar="ACTION")
    status = add_command(
        actions,
        "status",
        _status,
        purpose="show the holder of the lock, since when, and what its run is doing",
        details=False,
    )
    release = add_command(
        actions, "release", _release, purpose="free the lock of a run that will not end by itself", details=False
    )
    release.add_argument(
        "--reason", metavar="TEXT", required=True, help="why; it is logged on the host, with your name"
    )
    release.add_argument("--force", action="store_true", help="also when its run, or a job of it, still goes on")
    release.add_argument("--dry-run", action="store_true", help="show which locks would be freed, and free none")
    for each in (status, release):
        add_reach(each)


def _status(args: Namespace) -> int:
    from remotejobs.cli.locks import status  # with all that talks to hosts, which --help need not wait for

    return status(args)


def _release(args: Namespace) -> int:
    from remotejobs.cli.locks import release

    return release(args)


def _without_action(_args: Namespace) -> int:
    raise UsageError("no action is named", remedy="`remotejobs lock --help` lists them.")
