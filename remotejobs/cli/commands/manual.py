"""`remotejobs manual`: the page for man(1)."""

from __future__ import annotations

import sys
from argparse import Namespace

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import Commands, Parser

_PURPOSE = "print the page for man: remotejobs manual | man -l -"


def add(commands: Commands[Parser]) -> None:
    parser = commands.add_parser("manual", help=_PURPOSE, description=_PURPOSE.capitalize() + ".", allow_abbrev=False)
    parser.set_defaults(execute=execute, parser=parser)


def execute(_args: Namespace) -> int:
    from importlib.metadata import version

    from remotejobs.cli.described import commands_of
    from remotejobs.cli.main import EPILOG, build_parser
    from remotejobs.cli.manual import page

    sys.stdout.write(page(commands_of(build_parser()), version("remotejobs"), EPILOG.partition("\n")[0]))
    return exit_codes.OK
