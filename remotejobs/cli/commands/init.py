"""`remotejobs init`: a new project with a flow, an inventory, and what a Prefect server and its workers need."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import Commands, Parser
from remotejobs.cli.show import say
from remotejobs.project import write_project


def add(commands: Commands[Parser]) -> None:
    purpose = "write a new project: a flow, an inventory, deployments, settings and units; overwrites nothing"
    parser = commands.add_parser("init", help=purpose, description=purpose.capitalize() + ".", allow_abbrev=False)
    parser.add_argument("directory", metavar="DIR", type=Path, help="where; it is made if it is not there")
    parser.add_argument("--dry-run", action="store_true", help="show which files would be written, and write none")
    parser.set_defaults(execute=execute, parser=parser)


def execute(args: Namespace) -> int:
    files = write_project(args.directory, dry_run=args.dry_run)
    for path in files:
        say(str(path))
    if args.dry_run:
        say("Nothing was written.")
        return exit_codes.OK
    say(f"Next: cd {shlex.quote(str(args.directory))}, and follow README.md there.")
    return exit_codes.OK
